"""Code of a blueprint's archive: found in its plugin's folder, and forgotten when the operation has ended."""

from __future__ import annotations

import pytest

from tests.support.operations import Bench, Place

pytestmark = pytest.mark.integration

MODULE = "import helper\ndef run(ctx, **_):\n    return helper.WHO\n"


def test_two_blueprints_may_have_modules_of_the_same_names(working: Bench) -> None:
    places = {
        name: working.place({"x/tasks.py": MODULE, "x/helper.py": f"WHO = {name!r}\n"}) for name in ("a", "b")
    }
    for _ in range(3):
        for name, place in places.items():
            assert place.run("tasks.run").result == name


def test_what_one_blueprint_brings_no_other_finds(working: Bench) -> None:
    rich = working.place({"x/owner.py": MODULE, "x/helper.py": "WHO = 1\n"})
    poor = working.place({"x/guest.py": MODULE})
    for _ in range(3):
        assert rich.run("owner.run").result == 1
        assert "needs the module 'helper', which is not there" in str(poor.run("guest.run").error)


def test_a_module_may_be_called_like_one_of_the_managers(place: Place) -> None:
    place.write(
        {f"x/{name}.py": MODULE for name in ("manager", "orchestrator", "tasks", "celery", "psycopg2")}
    )
    place.write({"x/helper.py": "WHO = 'the blueprint'\n"})
    for name in ("manager", "orchestrator", "tasks", "celery", "psycopg2"):
        answer = place.run(f"{name}.run")
        assert answer.result == "the blueprint", answer.error
    assert place.run("manager.operations.builtin.nothing").outcome == "succeeded"


@pytest.mark.parametrize("folder", ["x", "plugins/x", "."])
def test_it_is_found_in_the_plugins_folder_or_at_the_top(place: Place, folder: str) -> None:
    place.write(
        {
            f"{folder}/package/__init__.py": "",
            f"{folder}/package/deep.py": MODULE,
            f"{folder}/helper.py": "WHO = 1",
        }
    )
    assert place.run("package.deep.run").result == 1


def test_what_is_imported_late_is_found_too(place: Place) -> None:
    place.write(
        {
            "x/late.py": "def run(ctx, **_):\n    import helper\n    return helper.WHO\n",
            "x/helper.py": "WHO = 2",
        }
    )
    assert place.run("late.run").result == 2


@pytest.mark.parametrize(
    ("name", "files", "error"),
    [
        (
            "nowhere.run",
            {},
            "There is no module 'nowhere' for 'nowhere.run' in the folder 'x' of the blueprint's",
        ),
        ("there.walk", {"x/there.py": MODULE, "x/helper.py": "WHO = 1"}, "has no function 'walk'"),
        (
            "needy.run",
            {"x/needy.py": "import not_installed"},
            "needs the module 'not_installed', which is not there",
        ),
        ("broken.run", {"x/broken.py": "1 / 0"}, "cannot be imported: division by zero"),
        ("broken.run", {"x/broken.py": "def"}, "cannot be imported: invalid syntax"),
        ("run", {}, "it has to be MODULE.FUNCTION"),
        ("manager.operations.builtin.nowhere", {}, "has no function 'nowhere'"),
    ],
)
def test_code_that_is_not_there_fails_for_good_and_says_what_was_looked_for(
    place: Place, name: str, files: dict[str, str], error: str
) -> None:
    answer = place.write({"x/.keep": "", **files}).run(name)
    assert (answer.outcome, answer.recoverable) == ("failed", False)
    assert error in str(answer.error)


def test_nothing_is_written_into_the_archives_folder(place: Place) -> None:
    place.write({"x/tasks.py": MODULE, "x/helper.py": "WHO = 1"})
    place.run("tasks.run")
    assert not list(place.content.rglob("__pycache__"))


def test_a_plugins_folder_is_inside_of_the_archive(place: Place) -> None:
    other = place.bench.place({"x/secret.py": MODULE, "x/helper.py": "WHO = 1"})
    source = f"../../../{other.deployment}/{other.content.parent.name}/content/x"
    answer = place.run("secret.run", plugin={"name": "x", "source": source})
    assert "There is no module 'secret'" in str(answer.error)
