"""What deploy/quickstart does once the programs are there: `show` starts everything and shows it, `break` breaks a part of what runs."""

import argparse
import pathlib
import signal
import sys
import time

import breaks
import show
from parts import Place, Trouble, remove_stale
from stage import PROGRAMS, Stage


def run_show(arguments):
    begun = time.monotonic()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    programs = pathlib.Path(arguments.programs).resolve()
    for name in PROGRAMS:
        if not (programs / name).exists():
            raise Trouble(f"{programs / name} is not built")
    if not arguments.once:
        breaks.refuse_second()
    remove_stale()
    place, stage = Place(), None
    try:
        stage = Stage(place, programs)
        stage.start()
        show.show_cast(stage)
        relayed, failed = show.show_load(stage, arguments.rate, time.monotonic() - begun)
        show.show_refusal(stage)
        show.check_help_page(stage)
        if not arguments.once:
            show.show_addresses(stage)
            show.show_next(stage)
        show.show_caveat()
        if arguments.once:
            print("\nAll of it is stopped and removed again. deploy/quickstart, without --once, keeps running so that you can look around and break things.")
        else:
            breaks.serve(stage)
        stage.stop()
        print(f"quickstart: {relayed} requests relayed, {failed} failed")
        return 0 if relayed and not failed else 1
    finally:
        if stage:
            stage.stop()
        place.remove()


def main():
    parser = argparse.ArgumentParser(prog="quickstart")
    commands = parser.add_subparsers(dest="command", required=True)
    one = commands.add_parser("show")
    one.add_argument("--programs", required=True)
    one.add_argument("--once", action="store_true")
    one.add_argument("--rate", type=int, default=150)
    commands.add_parser("break").add_argument("what", choices=list(breaks.BREAKS))
    arguments = parser.parse_args()
    try:
        return breaks.run(arguments.what) if arguments.command == "break" else run_show(arguments)
    except Trouble as problem:
        print(f"quickstart: {problem}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
