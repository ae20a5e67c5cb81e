"""
Templates: Jinja in a sandbox, ours with the operator's in front of them, file by file.

Each kind has `kind.html`, which is escaped, and its plain-text twin `kind.txt`, whose first line is `Subject: …`. Templates are files of the
operator's, yet a slip in one must not take the worker with it: source, output, text held in variables and time are bounded, and the only names are
those we hand in.
"""

import re
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

from jinja2 import BaseLoader, ChoiceLoader, FileSystemLoader, StrictUndefined, TemplateError, meta
from jinja2.exceptions import SecurityError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from paywright.emails.model import KINDS, Kind, Problem, Rendered, Shop
from paywright.emails.samples import SAMPLES
from paywright.emails.wording import filters

HERE = Path(__file__).parent / "templates"
SOURCE_BYTES_MAX = 65_536
OUTPUT_CHARACTERS_MAX = 262_144
RENDER_S_MAX = 2.0
SUBJECT_CHARACTERS_MAX = 200
RANGE_MAX = 1_000
FILTERS = frozenset(
    "abs capitalize d default e escape first float forceescape format int join last length list lower map max min reject rejectattr replace reverse "
    "round select selectattr sort string sum title trim truncate unique upper urlencode wordwrap".split()
)
"""Of Jinja's own. Those that are left out make text of any length, or print what is inside of things."""

TROUBLE = (TemplateError, TypeError, ValueError, KeyError, AttributeError, ArithmeticError, RecursionError, OSError)
"""What a template can raise; with it, the letter fails and is tried again later, when somebody has mended it."""


_BLANK_LINES = re.compile(r"\n{3,}")


class TemplateBroken(Exception):
    """A template can't be read or rendered; the message names it."""


class Sandbox(ImmutableSandboxedEnvironment):
    """Multiplying and formatting are where a short expression makes a long text."""

    intercepted_binops = frozenset(["*", "**", "%", "<<"])

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        is_number = isinstance(left, int | float) and isinstance(right, int | float)
        if operator in ("**", "<<") or not is_number:
            raise SecurityError(f"`{operator}` is for numbers only, and powers are not for templates")
        return super().call_binop(context, operator, left, right)


class Templates:
    """Thread-safe. `folder` None: ours alone."""

    def __init__(self, folder: Path | None = None, *, render_s_max: float = RENDER_S_MAX) -> None:
        self._render_s_max = render_s_max
        loaders: list[BaseLoader] = [_Folder(HERE)]
        if folder is not None:
            if not folder.is_dir():
                raise TemplateBroken(f"the folder of templates `{folder}` is not there")
            loaders.insert(0, _Folder(folder))
        self._sandbox = Sandbox(
            loader=ChoiceLoader(loaders),
            autoescape=lambda name: name is not None and name.endswith(".html"),
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._sandbox.filters = {name: made for name, made in self._sandbox.filters.items() if name in FILTERS}
        self._sandbox.globals = {"range": _short_range}

    def render(self, kind: Kind, shop: Shop, facts: dict[str, Any]) -> Rendered:
        """Raises `TemplateBroken`. Control characters and line breaks in `facts` are blanks in the letter."""
        given = {"shop": shop, **_one_line(facts)}
        first, _, text = self._rendered(f"{kind}.txt", shop, given).partition("\n")
        if not first.startswith("Subject:"):
            raise TemplateBroken(f"{kind}.txt: its first line is `Subject: …`")
        subject = _plain(first.removeprefix("Subject:"))[:SUBJECT_CHARACTERS_MAX].strip()
        if not subject:
            raise TemplateBroken(f"{kind}.txt: the subject is empty")
        html = self._rendered(f"{kind}.html", shop, {**given, "subject": subject})
        return Rendered(subject, _BLANK_LINES.sub("\n\n", text).strip("\n") + "\n", html)

    def lint(self, shop: Shop) -> list[Problem]:
        """Every template, rendered with every sample: unknown names, syntax, size and time."""
        problems: list[Problem] = []
        for kind in KINDS:
            problems += self._unknown_names(kind, shop)
            for sample in SAMPLES[kind]:
                try:
                    self.render(kind, shop, sample)
                except TemplateBroken as error:
                    where, _, what = str(error).partition(": ")
                    problems.append(Problem(where, what))
        return sorted(set(problems), key=lambda problem: (problem.template, problem.message))

    def _unknown_names(self, kind: Kind, shop: Shop) -> Iterator[Problem]:
        """Also those in branches that no sample takes."""
        known = {"shop", "subject", *SAMPLES[kind][0], *self._sandbox.globals, *filters(shop)}
        for name in (f"{kind}.html", f"{kind}.txt"):
            try:
                parsed = self._sandbox.parse(_source(self._sandbox, name))
            except TROUBLE:
                continue  # Rendering tells what is wrong with it.
            for unknown in sorted(meta.find_undeclared_variables(parsed) - known):
                yield Problem(name, f"'{unknown}' is undefined; there are {', '.join(sorted(known))}")

    def _rendered(self, name: str, shop: Shop, given: dict[str, Any]) -> str:
        try:
            template = self._sandbox.get_template(name, globals=filters(shop))
            parts, length = [], 0
            with bounded(OUTPUT_CHARACTERS_MAX, self._render_s_max):
                for part in template.generate(**given):
                    parts.append(part)
                    length += len(part)
                    if length > OUTPUT_CHARACTERS_MAX:
                        raise SecurityError(f"more than {OUTPUT_CHARACTERS_MAX} characters")
        except TROUBLE as error:
            line = getattr(error, "lineno", None)
            raise TemplateBroken(
                f"{name}: {f'line {line}: ' if line else ''}{error or type(error).__name__}"
            ) from error
        return "".join(parts)


class _Folder(FileSystemLoader):
    def get_source(self, environment: Any, template: str) -> tuple[str, str, Callable[[], bool]]:
        found = super().get_source(environment, template)
        if len(found[0].encode()) > SOURCE_BYTES_MAX:
            raise SecurityError(f"more than {SOURCE_BYTES_MAX} bytes")
        return found


@contextmanager
def bounded(characters_max: int, seconds_max: float) -> Iterator[None]:
    """
    Ends a template that computes too long, or holds too long a text in a variable.

    By tracing this thread, because a loop that prints nothing never comes back to us otherwise. It counts the thread's own time: a busy machine makes
    no template wrong. Templates are short, so its price is small.
    """
    deadline = time.thread_time() + seconds_max
    before = sys.gettrace()

    def look(frame: FrameType, _event: str, _argument: Any) -> Any:
        if time.thread_time() > deadline:
            raise SecurityError(f"more than {seconds_max:g} seconds")
        if "environment" not in frame.f_globals:
            return None  # Not a template: what it calls is looked at when it is called, and left alone then.
        for held in frame.f_locals.values():
            if isinstance(held, str | list) and len(held) > characters_max:
                raise SecurityError(f"more than {characters_max} characters")
        return look

    sys.settrace(look)
    try:
        yield
    finally:
        sys.settrace(before)


def _source(sandbox: Sandbox, name: str) -> str:
    assert sandbox.loader is not None
    return sandbox.loader.get_source(sandbox, name)[0]


def _short_range(*bounds: int) -> range:
    found = range(*bounds)
    if len(found) > RANGE_MAX:
        raise SecurityError(f"a range of more than {RANGE_MAX}")
    return found


def _one_line(value: Any) -> Any:
    """The same with every text in it on one line, so that no name of a product breaks a subject or a line of the text twin."""
    if isinstance(value, str):
        return _plain(value)
    if isinstance(value, dict):
        return {name: _one_line(each) for name, each in value.items()}
    return [_one_line(each) for each in value] if isinstance(value, list | tuple) else value


def _plain(text: str) -> str:
    return " ".join("".join(each if each.isprintable() else " " for each in text).split())
