"""`python -m brep_mae` is `brep-mae`."""

from brep_mae.cli import main

if __name__ == "__main__":
    main(prog_name="brep-mae")
