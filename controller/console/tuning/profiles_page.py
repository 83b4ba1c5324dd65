"""The page of a patient's profiles: the list, the form to save what is in force, what two sets differ in."""

from __future__ import annotations

from html import escape

from controller.config.tunables import BY_KEY, KNOBS
from controller.console import layout
from controller.console.i18n import Texts
from controller.console.tuning import tuning_page
from controller.console.tuning.profiles import LAST, NOTE_MAX, Profile, differences
from controller.runtime.tuning import BY_MAX


def profiles_html(
    texts: Texts,
    known: list[Profile],
    chosen: list[Profile],
    now: dict[str, float] | None,
    *,
    by: str,
    problem: str,
) -> str:
    """The list, the form to save what is in force, and what two sets differ in."""
    t = texts.get
    fault = f'<p class="bad box" role="alert">{escape(problem)}</p>' if problem else ""
    save = (
        '<form method="post" action="/profiles/save" class="card confirm">'
        f"<h2>{escape(t('profiles.save_title'))}</h2>"
        f"<label>{escape(t('profiles.name'))} "
        '<input name="name" required maxlength="40" size="16" autocomplete="off"></label>'
        f"<label>{escape(t('tuning.by'))} "
        f'<input name="by" value="{escape(by, quote=True)}" required maxlength="{BY_MAX}" size="8"></label>'
        f'<label class="wide-field">{escape(t("profiles.note"))} '
        f'<input name="note" maxlength="{NOTE_MAX}" autocomplete="off"></label>'
        f'<button class="button">{escape(t("profiles.save"))}</button></form>'
    )
    rows = [
        (
            f'<input type="checkbox" name="with" value="{escape(p.name)}" aria-label="{escape(p.name)}"'
            f"{' checked' if p in chosen else ''}>",
            f"<b>{escape(p.name)}</b>",
            escape(p.saved.replace("T", " ").removesuffix("Z")),
            escape(p.by),
            escape(t("profiles.last") if p.name == LAST else p.note),
            f'<a href="/profiles/{p.name}.toml" download>TOML</a>',
            f'<button class="button small" formmethod="post" formaction="/profiles/{p.name}/propose">'
            f"{escape(t('profiles.use'))}</button>",
        )
        for p in known
    ]
    heads = [
        "",
        *(escape(t(f"profiles.{name}")) for name in ("name", "saved", "by", "note", "export", "use_head")),
    ]
    listing = (
        f'<form method="get" action="/profiles">{layout.table(heads, rows)}<p class="tools">'
        f'<button class="button second">{escape(t("profiles.compare"))}</button>'
        f'<span class="quiet">{escape(t("profiles.compare_hint"))}</span></p></form>'
        if known
        else f"<p>{escape(t('profiles.none'))}</p>"
    )
    return f"{fault}{listing}{_compared(texts, chosen, now)}{save}"


def _compared(texts: Texts, chosen: list[Profile], now: dict[str, float] | None) -> str:
    t = texts.get
    sides = [(profile.name, profile.values) for profile in chosen]
    if len(sides) == 1 and now is not None:
        sides.append((t("profiles.now"), now))
    if len(sides) != 2:
        return ""
    (one_name, one), (other_name, other) = sides
    rows = [
        (
            escape(t(f"knob.{key}.name")),
            "–" if a is None else tuning_page.figure(texts, a),
            "–" if b is None else tuning_page.figure(texts, b),
            escape(BY_KEY[key].unit),
        )
        for key, a, b in differences(one, other)
    ]
    title = f"<h2>{escape(one_name)} / {escape(other_name)}</h2>"
    if not rows:
        return f"{title}<p>{escape(t('profiles.same').format(count=len(KNOBS)))}</p>"
    heads = [escape(t("tuning.setting")), escape(one_name), escape(other_name), escape(t("tuning.unit"))]
    return title + layout.table(heads, rows)
