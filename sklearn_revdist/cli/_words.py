"""Messages in the words of the command line: flags for parameters, short names for models.

Functions of Python name their parameters, and columns of files have the models' full names. Whoever
types a command knows flags and short names.
"""

import re

import click

from ..utils._models import DEMO, ESM2

# A full name and the layer and pooling after it; not in a path, a file's name or a column's.
_FULL_NAME = re.compile(
    rf"(?<![\w./\\-])(?:{'|'.join(re.escape(model.name) for model in ESM2 + DEMO)})"
    r"(?!\w*(?:\.\w|_\d))(?:_layer-?\d+)?(?:_[a-z]+)*"
)
# What parameters of Python are called where the command's own are called otherwise.
_PARAMETERS = {"chain": "models", "cv": "n_folds"}
# Sentences in which a parameter is an ordinary word, and functions that commands stand for.
_PHRASES = {
    r"\bX has(?= \d)": "there are",
    r"\bfeatures has\b": "--features has",
    r"remove gaps, by .* --remove-gaps": "remove gaps",
    r"\bpooling\[\d+\] and pooling\[\d+\] are\b": "Two --pooling are",
    r"\bchain\[\d+\] and chain\[\d+\] are\b": "Two -m are",
    r"\bcorrect the path in chain\b": "correct the path (-m)",
    r", or name the format\b": ", or name the format (--output-format)",
    r"save it again with ReverseDistiller\.save_pretrained": "`revdist fit` writes distillers, so "
    "give one",
    r"the path of a file that ReverseDistiller\.save_pretrained wrote, or the name of a bundled "
    r"one \('demo'\)": "a file that `revdist fit` wrote, or demo",
}


def in_words(message: str) -> str:
    """Translate a message of Python for whoever typed the command that is running."""
    for phrase, said in _PHRASES.items():
        message = re.sub(phrase, said, message)
    for name, flag in _flags().items():
        value = r"(?:'[^']*'|\"[^\"]*\"|\[[^\]]*\]|[\w.+-]*[\w])"
        message = re.sub(rf"\b{name}=None", f"no {flag}", message)
        message = re.sub(
            rf"\b{name}(?:\[\d+\])?=({value})", lambda m, flag=flag: _given(flag, m[1]), message
        )
        message = re.sub(rf"`{name}`", flag, message)
        if "_" in name:  # else it may be a word
            message = re.sub(rf"(?<![\w'\"-]){name}\b(?!['\"=])", flag, message)
    message = re.sub(r" \(`\w+`\)", "", message)  # what this command has no flag for
    return short_names(message)


def short_names(text: str) -> str:
    """Put short names for full ones, where these are neither files nor columns."""
    return _FULL_NAME.sub(_short, text)


def _short(found: re.Match) -> str:
    from ..displays._axes import short_name

    return short_name(found[0])


def _flags() -> dict[str, str]:
    """The shortest flag of each parameter of the command that is running."""
    context = click.get_current_context(silent=True)
    options = context.command.params if context else []
    flags = {str(o.name): o.opts[0] for o in options if isinstance(o, click.Option)}
    named = {python: flags[own] for python, own in _PARAMETERS.items() if own in flags}
    return dict(sorted({**flags, **named}.items(), key=lambda flag: -len(flag[0])))


def _given(flag: str, value: str) -> str:
    """The flag and a value as they are typed."""
    values = re.sub(r"['\"\s]", "", value.strip("[]")) if value[0] == "[" else value.strip("'\"")
    return f"{flag} {values!r}" if re.search(r"\s", values) else f"{flag} {values}"
