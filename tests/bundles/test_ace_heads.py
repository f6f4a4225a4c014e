import torch

from bundles.cxr_ace.scripts.heads import Composer, Decomposer, DenseHead, rows


def test_dense_head_returns_unit_tokens_and_survives_dead_tokens():
    head = DenseHead(8)
    tokens = head(torch.randn(4, 8, 6, 6))
    norms = tokens.norm(dim=1)
    assert ((norms - 1).abs() < 1e-5).logical_or(norms == 0).all()
    head[-2].bias.data.fill_(-1e6)
    assert torch.isfinite(head(torch.randn(4, 8, 6, 6))).all()


def test_composer_reads_exactly_the_two_by_two_block_of_its_token():
    composer = Composer(5)
    tokens = torch.randn(1, 5, 6, 4, requires_grad=True)
    composed = composer(tokens)
    assert composed.shape == (1, 6, 5)
    composed[0, 3].sum().backward()  # row 1, column 1 of the 3 x 2 grid
    touched = tokens.grad[0].abs().sum(0) > 0
    expected = torch.zeros(6, 4, dtype=torch.bool)
    expected[2:4, 2:4] = True
    assert torch.equal(touched, expected)


def test_composer_orders_its_input_channel_row_column():
    composer = Composer(3)
    tokens = torch.randn(2, 3, 4, 4)
    block = torch.stack([tokens[1, c, 2 + dy, 0 + dx] for c in range(3) for dy in range(2) for dx in range(2)])
    torch.testing.assert_close(composer(tokens)[1, 2], composer.mlp(block))


def test_decomposer_orders_its_output_row_column_channel():
    decomposer = Decomposer(3)
    tokens = torch.randn(2, 3, 4, 5)
    parts = decomposer(tokens)
    assert parts.shape == (2, 4 * 20, 3)
    one = decomposer.mlp(tokens[1, :, 2, 3]).view(2, 2, 3)
    grid = parts[1].view(8, 10, 3)
    torch.testing.assert_close(grid[4:6, 6:8], one)


def test_rows_run_along_columns_first():
    tokens = torch.arange(6.0).view(1, 1, 2, 3)
    assert rows(tokens)[0, :, 0].tolist() == [0, 1, 2, 3, 4, 5]
