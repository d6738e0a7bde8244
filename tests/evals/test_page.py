"""The page in a real browser: sorts, filters, opens a task, asks nobody for anything, holds hostile text."""

import html.parser
import json
from pathlib import Path
from urllib.parse import quote

import browser
import pytest
from synthetic import GPU, SOURCE, batch, kernel, large, result

from kernelwright.evals.publish import publish, report
from kernelwright.evals.record import AttemptRow, Attempts
from kernelwright.evals.webpage import MOST_BYTES
from kernelwright.harness.verdict import Finding

PROBES = (Path(__file__).parent / "probes.js").read_text()
HOSTILE = [
    "</script><script>window.hacked = 1</script>",
    "<img src=x onerror='window.hacked = 1'>",
    "</style><svg onload=window.hacked=1>",
    "%%DATA%% ${window.hacked = 1} \\u003c \u2028 ]]> --> \x00 \ud800",
    "javascript:window.hacked=1",
    "&lt;b&gt; \"quoted' `ticked` = +1",
]


@pytest.fixture(scope="module")
def chromium():
    binary = browser.find()
    if binary is None:
        pytest.skip("no Chromium is installed (Debian: apt-get install chromium)")
    found = browser.Browser(binary)
    yield found
    found.close()


@pytest.fixture
def tab(chromium):
    chromium.events.clear()
    chromium.view(1440, 900)
    yield chromium
    assert chromium.complaints() == []
    loaded = [u for u in chromium.requests() if u not in ("about:blank", "data:,")]
    assert len({u.partition("#")[0] for u in loaded}) <= 1, loaded
    assert all(u.startswith("file:///") for u in loaded)


def write(tmp_path, records):
    return publish(records, tmp_path).files[-1]


def ask(tab, probe, *values):
    """The answer of one of the probes."""
    arguments = ", ".join(map(json.dumps, values))
    return tab.run(f"(() => {{ {PROBES}\nreturn probes.{probe}({arguments}); }})()")


def column(tab, caption, number):
    """The texts of a column of the table with that caption, in the order shown."""
    return ask(tab, "column", caption, number)


def press(tab, caption, label, how="click"):
    """Do something to the button that sorts by a column."""
    arguments = ", ".join(map(json.dumps, (caption, label)))
    tab.run(f"(() => {{ {PROBES}\nprobes.head({arguments}).{how}(); }})()")


def three():
    return batch(
        [
            result("core/slow", kernel(0.5, 0.4), category="loss"),
            result("core/quick", kernel(8.0, 3.0), category="scan"),
            result("core/middle", kernel(2.0, 1.5, track="library"), category="scan"),
            result("core/failed", state="failed", reason="the model does not answer"),
        ]
    )


def test_tables_sort_by_pointer_and_keyboard(tab, tmp_path):
    tab.open(write(tmp_path, [three()]))
    assert column(tab, "Tasks", 1) == ["core/failed", "core/middle", "core/quick", "core/slow"]
    press(tab, "Tasks", "vs eager")
    assert column(tab, "Tasks", 1) == ["core/quick", "core/middle", "core/slow", "core/failed"]
    press(tab, "Tasks", "vs eager", "focus")
    tab.key("Enter", 13, "\r")
    assert column(tab, "Tasks", 1) == ["core/slow", "core/middle", "core/quick", "core/failed"]
    sorted_by = "[...document.querySelectorAll('[aria-sort=ascending]')].map((h) => h.innerText)"
    assert any("vs eager" in label for label in tab.run(sorted_by))
    assert "vs eager, ascending" in tab.run("document.getElementById('live').textContent")


def test_filters(tab, tmp_path):
    other = batch([result("core/slow", kernel(3.0, 2.0), device=GPU)], label="other")
    tab.open(write(tmp_path, [three(), other]))
    assert sorted(column(tab, "Entries", 1)) == ["other", "synthetic"]
    assert "not comparable" in tab.run("document.querySelector('main').innerText")

    def choose(label, value):
        ask(tab, "choose", label, value)

    choose("Device", "Synthetic GPU (cuda)")
    assert column(tab, "Entries", 1) == ["other"]
    choose("Device", "")
    choose("Suite", "core synthetic")
    assert sorted(column(tab, "Entries", 1)) == ["other", "synthetic"]
    choose("Device", "Synthetic CPU (cpu, 2 threads)")
    assert column(tab, "Entries", 3) == ["75%"]
    choose("Track", "custom")
    assert column(tab, "Entries", 3) == ["50%"]  # the library kernel counts as failed
    choose("Track", "mixed")
    assert column(tab, "Entries", 3) == ["0%"]
    choose("Track", "")
    choose("Against", "compile")
    assert column(tab, "Entries", 4) == ["50%"]
    choose("Find a task", "quick")
    assert column(tab, "Tasks", 1) == ["core/quick"]
    choose("Find a task", "")
    choose("Result", "failed")
    assert column(tab, "Tasks", 1) == ["core/failed"]


def test_a_task_opens_with_kernel_diff_lineage_and_reasons(tab, tmp_path):
    record = large(6, seed=2)
    shown = next(r for r in record.results if r.best)
    tab.open(write(tmp_path, [record]))
    link = f"#/task/synthetic-large/{quote(shown.task, safe='')}"
    tab.run(f"document.querySelector(`a.name[href={json.dumps(link)}]`).click()")
    tab.until(f"document.querySelector('h1').textContent === {json.dumps(shown.task)}")
    text = tab.run("[...document.querySelectorAll('.listing')].map((l) => l.innerText)")
    cells = "[...document.querySelector('.lines').querySelectorAll('.code')]"
    code = tab.run(f"{cells}.map((c) => c.textContent)")
    assert "\n".join(code) + "\n" == shown.best.source
    assert "lines added" in text[1]
    assert tab.run("document.querySelectorAll('.lines .hk').length") > 3
    assert tab.run("document.querySelectorAll('.lineage li').length") == 6
    assert len(column(tab, "Attempts", 1)) == 12
    assert shown.task in tab.run("document.title")
    assert tab.run("document.activeElement.id") == "main"
    tab.run("history.back()")
    tab.until("document.querySelector('h1').textContent === 'Kernel leaderboard'")


def test_a_run_has_its_page(tab, tmp_path):
    file = write(tmp_path, [three()])
    tab.open(file, "#/run/synthetic-synthetic")
    text = tab.run("document.querySelector('main').innerText")
    assert "kernelwright bench core" in text and "geometric mean, 1 where not faster" in text
    tab.open(file, "#/run/nowhere")
    assert "There is no entry nowhere" in tab.run("document.querySelector('main').innerText")


def test_hostile_text_stays_text(tab, tmp_path):
    results = []
    for number, text in enumerate(HOSTILE):
        best = kernel(
            2.0, 1.5, source=f"{SOURCE}\n# {text}\n", notes=(Finding(text, text, "warning"),)
        )
        best = best.model_copy(update={"bundle": text, "note": text, "path": text})
        rows = (
            AttemptRow(
                candidate=best.candidate, round=1, verdict="accepted", stage=text, note=text
            ),
        )
        results.append(
            result(
                f"{text} {number}",
                best,
                category=text,
                attempts=Attempts(n=1, accepted=1, rows=rows),
            )
        )
    record = batch(results, label=HOSTILE[0], models=tuple(HOSTILE))
    tab.open(write(tmp_path, [record]))
    assert tab.run("[...document.querySelectorAll('script')].length") == 2
    links = ask(tab, "links")
    assert links and not any(link.startswith("javascript:") for link in links)
    for number in range(len(HOSTILE)):
        tab.run(f"location.hash = document.querySelectorAll('a.name')[{number + 1}].hash")
        tab.until("document.querySelector('.lines')")
        links = ask(tab, "links")
        assert not any(link.startswith("javascript:") for link in links)
        tab.run("location.hash = '#/'")
        tab.until("document.querySelector('.filters')")
    assert tab.run(
        "window.hacked === undefined && !document.querySelector('main img, main script')"
    )


def test_the_theme_follows_the_wish_and_the_button(tab, tmp_path):
    file = write(tmp_path, [three()])
    tab.view(1440, 900, dark=True)
    tab.open(file)
    tab.run("localStorage.clear()")
    tab.open(file)
    assert tab.run("document.documentElement.dataset.theme") == "dark"
    tab.run("document.getElementById('theme').click()")
    assert tab.run("document.documentElement.dataset.theme") == "light"
    tab.open(file)
    assert tab.run("document.documentElement.dataset.theme") == "light"
    tab.run("localStorage.clear()")


@pytest.mark.parametrize(
    "route", ["", "#/run/synthetic-large", "#/task/synthetic-large/core%2Ftask_001"]
)
def test_a_phone_does_not_scroll_sideways(tab, tmp_path, route):
    tab.view(390, 844, phone=True)
    tab.open(write(tmp_path, [large(4, seed=2)]), route)
    assert tab.run("document.documentElement.scrollWidth") <= 390


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("route", ["", "#/task/synthetic-large/core%2Ftask_001"])
def test_every_text_has_the_contrast_of_aa(tab, tmp_path, dark, route):
    tab.view(1440, 900, dark=dark)
    tab.open(write(tmp_path, [large(12, seed=2)]), route)
    assert tab.run("document.documentElement.dataset.theme") == ("dark" if dark else "light")
    assert ask(tab, "pale") == []


def test_what_assistive_technology_needs(tab, tmp_path):
    tab.open(write(tmp_path, [large(6, seed=2)]))
    for landmark in ("header", "nav", "main", "footer", "a.skip", "html[lang]"):
        assert tab.run(f"document.querySelectorAll({json.dumps(landmark)}).length") == 1, landmark
    assert tab.run("document.querySelectorAll('h1').length") == 1
    assert ask(tab, "nameless") == []
    charts = "[...document.querySelectorAll('figure.chart')]"
    assert tab.run(f"{charts}.every((f) => f.querySelector('details table'))")
    tab.key("Tab", 9)
    assert tab.run("document.activeElement.className") == "skip"
    outline = tab.run("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"
    tab.run("location.hash = '#/run/synthetic-large'")
    tab.until("document.querySelector('h1').textContent === 'large'")
    tab.run("document.querySelector('.skip').focus()")
    tab.key("Enter", 13, "\r")
    assert tab.run("[document.activeElement.id, location.hash]") == [
        "main",
        "#/run/synthetic-large",
    ]


def loose(tab):
    """Texts that stand in the page outside of any element of theirs: a condition that was printed."""
    nodes = "[...document.querySelector('main > div').childNodes]"
    return tab.run(f"{nodes}.filter((n) => n.nodeType === 3).map((n) => n.data)")


def overflowing(tab):
    """Badges that reach out of the cell that they stand in."""
    wider = (
        "(c) => c.getBoundingClientRect().right > c.closest('td').getBoundingClientRect().right + 1"
    )
    return tab.run(
        f"[...document.querySelectorAll('td .chip')].filter({wider}).map((c) => c.innerText)"
    )


@pytest.mark.parametrize("width", [1440, 390])
@pytest.mark.parametrize(
    "route", ["", "#/run/synthetic-large", "#/task/synthetic-large/core%2Ftask_001"]
)
def test_nothing_stands_loose_and_no_badge_covers_its_neighbour(tab, tmp_path, route, width):
    tab.view(width, 900, phone=width < 720)
    record = large(4, seed=2)
    bare = [r.model_copy(update={"reasons": {}}) for r in record.results]
    tab.open(write(tmp_path, [record.model_copy(update={"results": tuple(bare)})]), route)
    assert loose(tab) == []
    assert overflowing(tab) == []


def test_a_report_opens_with_its_task(tab, tmp_path):
    record = batch([result("core/only", kernel(2.0, 1.5))])
    tab.open(report(record, tmp_path / "report.html"))
    assert tab.run("document.querySelector('h1').textContent") == "core/only"
    assert tab.run("document.querySelectorAll('.lines').length") == 2


@pytest.mark.slow
def test_250_tasks_fit_into_two_megabytes(tab, tmp_path):
    """Kernels of a hundred lines that no other kernel has."""
    record = large(250)
    file = write(tmp_path, [record])
    assert file.stat().st_size <= MOST_BYTES
    tab.open(file)
    assert tab.run("document.querySelectorAll('h1').length") == 1


def test_a_page_that_would_be_too_large_says_what_it_left_out(tab, tmp_path, monkeypatch):
    monkeypatch.setattr("kernelwright.evals.webpage.MOST_BYTES", 150_000)
    record = large(3, seed=2, length=3000)
    file = write(tmp_path, [record])
    assert file.stat().st_size <= 150_000
    shown = next(r for r in record.results if r.best)
    tab.open(file, f"#/task/synthetic-large/{quote(shown.task, safe='')}")
    text = tab.run("document.querySelector('.listing').innerText")
    assert f"of {len(shown.best.source.splitlines())} lines, to keep this page small" in text


class _Scripts(html.parser.HTMLParser):
    def __init__(self):
        super().__init__()
        self.found = []
        self.attributes = []

    def handle_starttag(self, tag, attrs):
        self.found.append(tag)
        self.attributes += [name for name, _ in attrs]


def test_the_file_names_nothing_outside_itself(tmp_path):
    text = write(tmp_path, [three()]).read_text()
    parser = _Scripts()
    parser.feed(text)
    assert parser.found.count("script") == 2 and parser.found.count("link") == 1
    assert not {"src", "srcset", "style", "onclick", "onload"} & set(parser.attributes)
    assert "default-src 'none'" in text.replace("&#x27;", "'")
    assert "url(" not in text and "@import" not in text
