"""The hostile messages in tests/hostile/*.json are what make.py writes."""

import pathlib
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "hostile"))

import make  # noqa: E402

if __name__ == "__main__":
    sys.exit(make.main(check=True))
