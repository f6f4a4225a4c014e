"""Toy volumes tell their place by their values, and few of these are air: that this is said is no news here."""


def pytest_configure(config):
    config.addinivalue_line("filterwarnings", "ignore::common.volumes.doubts.Doubt")
