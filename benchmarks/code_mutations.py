"""Breaks the code in one place at a time and asks whether the test that is named for it fails.

    python -m benchmarks.code_mutations [--only WORD]

Every mutation is a change of text in a copy of the repository; one whose text is not there any more is an error, so
that the table follows the code. Ends with 1 where a mutation survives.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.compare import table

COPIED = ("brep_mae", "pipelines", "benchmarks", "tests", "params.yaml", "dvc.yaml", "pyproject.toml", "README.md")


@dataclass(frozen=True)
class Mutation:
    """`old` occurs once in `file` and becomes `new`; then `test` must fail."""

    name: str
    file: str
    old: str
    new: str
    test: str


OPTIM, LOOP, UI = "brep_mae/composition/optim.py", "brep_mae/training/loop.py", "brep_mae/cli/__init__.py"
STEP, SETTINGS = "brep_mae/composition/step.py", "brep_mae/settings.py"
FOLDER, STORE = "brep_mae/continual/task_folder.py", "brep_mae/continual/supermask_store.py"
IMAGES, STATE, SPLITS = (
    "brep_mae/datasets/image_files.py",
    "brep_mae/checkpoints/state.py",
    "brep_mae/datasets/splits.py",
)
BY_HAND, TASKS, SAVED = (
    "tests/training/test_optim.py::",
    "tests/cli/test_tasks.py::",
    "tests/continual/test_supermask.py::",
)
CLAIMS = "tests/pipelines/test_claims.py::"
DRAWN, PICTURES = "tests/pipelines/test_render.py::", "tests/datasets/test_images.py::"

MUTATIONS = (
    Mutation(
        "AdamW betas",
        SETTINGS,
        "default=[0.9, 0.95])",
        "default=[0.9, 0.999])",
        BY_HAND + "test_later_steps_follow_adamw_with_the_betas_of_the_paper",
    ),
    Mutation(
        "biases and norms decay",
        OPTIM,
        '"weight_decay": 0.0,',
        '"weight_decay": optim.weight_decay,',
        BY_HAND + "test_the_first_step_moves_every_weight_by_the_rate_and_decays_matrices_alone",
    ),
    Mutation(
        "clipping off",
        STEP,
        "clip_grad_norm_(weights, self._clip_norm)",
        'clip_grad_norm_(weights, float("inf"))',
        BY_HAND + "test_a_huge_gradient_is_cut_to_the_norm_and_does_not_rule_the_steps_after_it",
    ),
    Mutation(
        "constant learning rate",
        LOOP,
        'lr_at(*pretext.schedule(step), group["peak"], optim.warmup)',
        "method.lr",
        BY_HAND + "test_the_rate_of_every_step_is_on_the_warm_up_s_line_or_the_half_cosine",
    ),
    Mutation(
        "no decay of the rate",
        OPTIM,
        "return peak * 0.5 * (1 + math.cos(math.pi * (step - rising) / max(1, steps - rising)))",
        "return peak",
        BY_HAND + "test_the_rate_of_every_step_is_on_the_warm_up_s_line_or_the_half_cosine",
    ),
    Mutation(
        "guard of task folders off",
        FOLDER,
        "    if moved:\n",
        "    if False:\n",
        TASKS + "test_a_task_that_moves_earlier_answers_is_not_saved",
    ),
    Mutation(
        "saved tasks are overwritten",
        STORE,
        "    if path.exists():\n",
        "    if False:\n",
        SAVED + "test_saving_never_overwrites_and_refuses_tasks_that_forget",
    ),
    Mutation(
        "checksums of tasks off",
        STORE,
        'if not header or _checksum(tensors, header) != metadata.get("sha256"):',
        "if not header:",
        SAVED + "test_damaged_or_foreign_files_are_refused_and_leave_the_model_untouched",
    ),
    Mutation(
        "ui on all interfaces",
        UI,
        '"--host", "127.0.0.1"',
        '"--host", "0.0.0.0"',
        "tests/cli/test_ui.py::test_the_pages_are_on_one_loopback_address_and_on_no_other",
    ),
    Mutation(
        "split_closed ignored in render",
        "brep_mae/brep/render/pool.py",
        "if options.split_closed else solid.shape",
        "if False else solid.shape",
        DRAWN + "test_faces_that_were_cut_in_two_for_parsing_are_cut_for_drawing",
    ),
    Mutation(
        "split_closed not passed on by the stage",
        "pipelines/render.py",
        "params.parse.split_closed",
        "False",
        DRAWN + "test_the_stage_draws_as_the_solids_were_parsed",
    ),
    Mutation(
        "limit of an image's pixels off",
        IMAGES,
        "if image.width * image.height > MAX_PIXELS:",
        "if False:",
        PICTURES + "test_a_small_file_of_more_pixels_than_the_limit_is_left_out",
    ),
    Mutation(
        "limit of an image's bytes off",
        IMAGES,
        "if size > MAX_BYTES:",
        "if False:",
        PICTURES + "test_a_file_of_more_bytes_than_the_limit_is_left_out_unread",
    ),
    Mutation(
        "weights_only=False for timm files",
        "brep_mae/teachers/images.py",
        "weights_only=True",
        "weights_only=False",
        "tests/pretext/test_maskdistill.py::test_weights_of_a_teacher_that_hide_a_program_are_refused_and_run_nothing",
    ),
    Mutation(
        "weights_only=False for training states",
        STATE,
        "map_location=device, weights_only=True",
        "map_location=device, weights_only=False",
        "tests/checkpoints/test_checkpoint.py::test_a_training_state_that_would_run_code_is_refused",
    ),
    Mutation(
        "M3AE is asked on solids that it trained on",
        "pipelines/claims.py",
        'data.solids(model.reads, "test")',
        'data.solids(model.reads, "train")',
        CLAIMS + "test_m3ae_gains_are_those_of_a_network_whose_gains_are_known",
    ),
    Mutation(
        "M3AE's partner is the solid itself",
        "brep_mae/evaluation/cross_modal.py",
        "heldout.batch(uids[1:] + uids[:1])",
        "heldout.batch(uids)",
        CLAIMS + "test_m3ae_gains_are_those_of_a_network_whose_gains_are_known",
    ),
    Mutation(
        "i-MAE's control is not shuffled",
        "brep_mae/evaluation/separability.py",
        "y[rng.permutation(len(y))]",
        "y",
        CLAIMS + "test_i_mae_scores_are_those_of_encoders_whose_scores_are_known",
    ),
    Mutation(
        "few labels: classes may leave training",
        SPLITS,
        "and all(left[c] > 1 for c in classes[file])",
        "",
        "tests/datasets/test_splits.py::test_labelled_solids_are_cut_among_themselves_and_training_shows_every_class",
    ),
    Mutation(
        "the network is called full when a task owns nothing",
        FOLDER,
        "full = all(bool(used.all()) for used in model.used().values())",
        "full = not report.own",
        TASKS + "test_the_network_is_called_full_when_it_is_and_not_when_a_task_takes_an_earlier_mask",
    ),
)


def copied(to: Path) -> None:
    for name in COPIED:
        if Path(name).is_dir():
            shutil.copytree(name, to / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(name, to / name)


def fails(folder: Path, tests: Sequence[str]) -> bool:
    """Whether some of the tests fail in this copy. Raises RuntimeError where they cannot be asked."""
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *tests]
    environment = os.environ | {"PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    if done.returncode not in (0, 1) or "skipped" in done.stdout.splitlines()[-1]:
        raise RuntimeError(f"{' '.join(tests)}: not asked\n{done.stdout}{done.stderr}")
    return done.returncode == 1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default="", help="mutations whose name holds this word")
    only = parser.parse_args().only
    chosen = [mutation for mutation in MUTATIONS if only in mutation.name]
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        copied(folder)
        if fails(folder, sorted({mutation.test for mutation in chosen})):
            raise SystemExit("a test fails on the code as it is")
        for mutation in chosen:
            path = folder / mutation.file
            text = path.read_text()
            if text.count(mutation.old) != 1:
                raise SystemExit(
                    f"{mutation.name}: {mutation.file} holds {text.count(mutation.old)} times {mutation.old!r}"
                )
            path.write_text(text.replace(mutation.old, mutation.new))
            killed = fails(folder, [mutation.test])
            path.write_text(text)
            rows.append({"mutation": mutation.name, "": "killed" if killed else "SURVIVED", "test": mutation.test})
    table(f"{len(rows)} mutations, one at a time", rows)
    if any(row[""] != "killed" for row in rows):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
