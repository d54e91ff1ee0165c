"""The live page's modules joined into one script, and what is refused."""

import re

import pytest

from nnjax.reporting.page_source import SOURCE, PageSourceError, joined_modules, page_source, read_modules

A = 'import { b } from "./b.js";\n\nexport function a() {\n  return b + 1;\n}\n'
B = "const inner = 1;\nexport const b = inner;\n"


def test_each_module_comes_once_after_those_that_it_imports():
    modules = {
        "a.js": A,
        "b.js": B,
        "c.js": 'import {a} from "./a.js";\nimport { b } from "./b.js";\nexport const c = a() + b;\n',
    }
    script = joined_modules(modules)
    assert script.startswith('"use strict";\n')
    assert re.search(r"^(?:import|export)\b", script, re.MULTILINE) is None
    places = [script.index(text) for text in ("const b = inner", "function a()", "const c = a() + b")]
    assert places == sorted(places)
    assert all(script.count(f"// ---- {name}") == 1 for name in modules)


def test_the_order_of_the_files_does_not_matter_to_what_comes_first():
    assert joined_modules({"b.js": B, "a.js": A}).index("const b") < joined_modules({"a.js": A, "b.js": B}).index("function a")


REFUSED = {
    "a missing module": ({"a.js": A}, "a.js imports ./b.js, which is not there"),
    "a name that is not exported": (
        {"a.js": 'import { inner } from "./b.js";\n', "b.js": B},
        "a.js imports inner from ./b.js, which does not export it",
    ),
    "a circle": (
        {"a.js": A, "b.js": 'import { a } from "./a.js";\nexport const b = () => a();\n'},
        "modules import each other in a circle: ",
    ),
    "a function of the same name": (
        {"a.js": "function twice() {}\n", "b.js": "export function twice() {}\n"},
        "both define twice",
    ),
    "a constant of the same name": ({"a.js": "const twice = 1;\n", "b.js": "class twice {}\n"}, "both define twice"),
    "a name among others": ({"a.js": "const { one, twice } = x;\n", "b.js": "let twice = 1;\n"}, "both define twice"),
    "an asynchronous function": (
        {"a.js": "async function twice() {}\n", "b.js": "function* twice() {}\n"},
        "both define twice",
    ),
    "a default export": ({"a.js": "export default 1;\n"}, "a.js:1: export default 1;: an export must be"),
    "an export of others": ({"a.js": 'export { b } from "./b.js";\n', "b.js": B}, "a.js:1: "),
    "a default import": ({"a.js": 'import b from "./b.js";\n', "b.js": B}, "a.js:1: "),
    "an import under another name": ({"a.js": 'import { b as c } from "./b.js";\n', "b.js": B}, "a.js:1: "),
    "an import on several lines": ({"a.js": 'import {\n  b,\n} from "./b.js";\n', "b.js": B}, "a.js:1: "),
    "the end of a script": ({"a.js": 'export const a = "</SCRIPT>";\n'}, "</script"),
}


@pytest.mark.parametrize(("modules", "message"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_joined_is_refused(modules, message):
    with pytest.raises(PageSourceError, match=re.escape(message)) as refused:
        joined_modules(modules)
    assert "\n" not in str(refused.value)


def test_names_inside_of_functions_do_not_count():
    modules = {"a.js": "function one() {\n  const inside = 1;\n}\n", "b.js": "function two() {\n  const inside = 1;\n}\n"}
    assert joined_modules(modules).count("inside") == 2


def test_text_goes_into_the_template_as_it_is(tmp_path):
    (tmp_path / "page.html").write_text("<title>@TITLE@</title><style>@CSS@</style><script>@JS@</script>")
    (tmp_path / "a.css").write_text("a {}\n")
    (tmp_path / "page.css").write_text("b {}\n")
    (tmp_path / "b.js").write_text(B)
    text = page_source({"TITLE": r"\1 @JS@ \g<0>"}, tmp_path)
    assert text.startswith(r"<title>\1 @JS@ \g<0></title><style>b {}" + "\na {}</style><script>")
    with pytest.raises(PageSourceError, match="placeholders"):
        page_source({}, tmp_path)
    with pytest.raises(PageSourceError, match="placeholders"):
        page_source({"TITLE": "", "OTHER": ""}, tmp_path)


def test_the_modules_of_the_page_can_be_joined():
    script = joined_modules(read_modules(SOURCE))
    assert all(f"// ---- {path.name}\n" in script for path in SOURCE.glob("*.js"))
    assert "https://" not in script


@pytest.mark.parametrize("path", sorted(SOURCE.iterdir()), ids=lambda path: path.name)
def test_every_file_of_the_page_says_what_it_is_for_and_fits_on_a_few_pages(path):
    lines = path.read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 300
    assert all(len(line) <= 128 for line in lines)
    if path.suffix == ".js":
        assert re.match(r"// [A-Z`]", lines[0])
