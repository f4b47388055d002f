"""A fiftieth of each campaign of tests/long, so that they stay true between the times they are run whole."""

import importlib.util

import pytest

from support.node import ROOT, sanitized


def load(name):
    spec = importlib.util.spec_from_file_location(name, ROOT / f"tests/long/{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name, count", [("faults", 600), ("retry", 2000), ("smuggling", 10000), ("soak", 3000), ("isolation", 1500), ("stores", 24)])
def test_a_part_of_the_campaign(name, count):
    """D04 D08 E06 E13 F13 F16 F22 H07"""
    load(name).campaign(count // 3 if sanitized() else count)
