import json
from pathlib import Path

import pytest
from contract_runner import BundleRunner


def takes_volumes(bundle: Path) -> bool:
    """Whether its metadata says that its images have three dimensions."""
    formats = json.loads((bundle / "configs" / "metadata.json").read_text())["network_data_format"]
    return len(formats["inputs"]["image"]["spatial_shape"]) == 3


@pytest.fixture(scope="session")
def phantom(shared) -> Path:
    from common.phantom import write_phantom

    return shared("phantom", lambda folder: write_phantom(folder, count=24, size=96, seed=0, workers=1))


@pytest.fixture(scope="session")
def phantom_ct(shared) -> Path:
    from common.phantom.ct import write_ct_rate

    return shared("phantom_ct", lambda folder: write_ct_rate(folder, 10, size=48, thickness=10.0, seed=0, workers=1))


@pytest.fixture(scope="session")
def runner(fork_server, request, tmp_path_factory):
    """A bundle's runner, the same one for every check of the bundle."""
    runners: dict[Path, BundleRunner] = {}

    def open_runner(bundle: Path) -> BundleRunner:
        if bundle not in runners:
            phantom = request.getfixturevalue("phantom_ct" if takes_volumes(bundle) else "phantom")
            runners[bundle] = BundleRunner(bundle, phantom, fork_server, tmp_path_factory.mktemp(bundle.name))
        return runners[bundle]

    return open_runner
