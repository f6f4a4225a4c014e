import gzip
import tracemalloc

import numpy as np
import pytest

from common.files.bounded import DEFLATE, check_declared, gunzip, gunzip_start
from common.files.errors import Unusable
from common.images.formats.nifti_bytes import nifti_bytes


def test_what_a_byte_can_become_is_deflates_own_bound():
    zeros = bytes(1 << 24)
    assert 0.98 * DEFLATE < len(zeros) / len(gzip.compress(zeros, 9)) <= DEFLATE


def test_members_are_joined_and_the_limit_is_to_the_byte():
    content = np.random.default_rng(0).bytes(5000)
    packed = gzip.compress(content[:2000]) + gzip.compress(content[2000:]) + bytes(512)
    assert gunzip(packed, 5000) == content
    assert gunzip_start(packed, 348) == content[:348]
    with pytest.raises(Unusable, match="more than the 4,999 bytes"):
        gunzip(packed, 4999)
    for broken in (packed[:1500], packed[:40] + bytes(40) + packed[80:], packed + b"more"):
        with pytest.raises(Unusable, match="cut or corrupt"):
            gunzip(broken, 5000)


def nifti_header(sides, bits=16):
    head = np.zeros(352, np.uint8)
    head[:4] = np.array([348], "<i4").view(np.uint8)
    head[40:56] = np.array([3, *sides, 1, 1, 1, 1], "<i2").view(np.uint8)
    head[70:74] = np.array([4, bits], "<i2").view(np.uint8)
    head[108:112] = np.array([352], "<f4").view(np.uint8)
    head[344:348] = np.frombuffer(b"n+1\0", np.uint8)
    return head.tobytes()


def test_a_bomb_is_refused_before_memory_is_spent():
    bomb = gzip.compress(nifti_header((4, 5, 6)) + bytes(1 << 28), 9)
    lying = gzip.compress(nifti_header((2000, 2000, 1000)) + bytes(2000))
    nifti_bytes(gzip.compress(nifti_header((1, 1, 1)) + bytes(2)))  # imports count as memory too
    tracemalloc.start()
    for payload, problem in ((bomb, "become more than"), (lying, "become 8,000,000,352 bytes")):
        with pytest.raises(Unusable, match=problem):
            nifti_bytes(payload)
    assert tracemalloc.get_traced_memory()[1] < 1 << 23
    tracemalloc.stop()


def test_what_is_honest_is_read_whatever_is_left_behind_it():
    content = nifti_header((4, 5, 6)) + np.arange(120, dtype="<i2").tobytes()
    for payload in (content, gzip.compress(content)):
        assert nifti_bytes(payload) == content
    assert nifti_bytes(gzip.compress(content + bytes(160))) == content + bytes(160)


@pytest.mark.parametrize("wanted", [0, -5, 1 << 40])
def test_absurd_sizes(wanted):
    with pytest.raises(Unusable, match="declares"):
        check_declared(wanted, 1 << 50)


def test_a_file_holds_what_its_format_allows_and_no_more():
    check_declared(1000, 1000)
    with pytest.raises(Unusable, match="1,001 bytes of voxels, and 1,000 bytes of file cannot hold them"):
        check_declared(1001, 1000)
    check_declared(2_000_000_000, 2_000_000, DEFLATE)  # a mask of a large scan
    with pytest.raises(Unusable, match="cannot hold them"):
        check_declared(2_000_000_000, 1_000_000, DEFLATE)
    with pytest.raises(Unusable, match="made to fill memory"):
        check_declared(5_000_000_000, 5_000_000, DEFLATE)  # zeros, honestly declared
    check_declared(4_000_000_000, 1_000_000_000, DEFLATE)  # 1024 x 1024 x 1900 voxels of a scan
