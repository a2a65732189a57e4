"""Values in headers of FASTA go on to the next key, whatever its capitals."""

import pytest

from sklearn_revdist.tasks._headers import header_values, identifier


@pytest.mark.parametrize(
    ("header", "values"),
    [
        ("p1 TARGET=1.5 SET=train", ["1.5"]),
        ("p1 TARGET=Cell membrane SET=train", ["Cell membrane"]),
        ("p1 SET=train target = Cell membrane, outer", ["Cell membrane, outer"]),
        ("p1|TARGET=a|SET=train", ["a"]),
        ("p1 TARGET=a; SET=train;", ["a"]),
        ("TARGET=pH=7 SET=x", ["pH=7"]),
        ("p1 TARGET= SET=x", [""]),
        ("p1 MYTARGET=3 X-TARGET=4", []),
        ("p1 TARGET=a Target=a", ["a"]),
        ("p1 TARGET=a Target=b", ["a", "b"]),
        ("", []),
    ],
)
def test_a_value_is_what_stands_before_the_next_key(header, values):
    assert header_values(header, "TARGET") == values


def test_the_identifier_is_the_first_word():
    assert identifier("p1 TARGET=2") == "p1"
    assert identifier("") == ""
