"""Every notation of mutants gives the same substitutions, and anything else is named."""

import pytest

from sklearn_revdist.sequences._mutants import INDEL, STOP, UNREADABLE, WHOLE_SEQUENCE, parse_mutant

SINGLE = (("A", 123, "T"),)
DOUBLE = (("A", 123, "T"), ("G", 5, "S"))


@pytest.mark.parametrize(
    "text",
    [
        *("A123T", "a123t", " A123T ", "p.A123T", "Ala123Thr", "ala123THR", "p.Ala123Thr"),
        *("P.ALA123THR", "p.(Ala123Thr)", "(Ala123Thr)", "p.[Ala123Thr]", "Ala123T"),
        *("NP_000537.3:p.Ala123Thr", "ENSP00000269305.4:p.(A123T)", "P04637:p.A123T"),
    ],
)
def test_a_substitution_is_read_in_every_notation(text):
    assert parse_mutant(text) == SINGLE


@pytest.mark.parametrize(
    "text",
    [
        *(f"A123T{separator}G5S" for separator in (*":;/,+_ \t", ", ", " ; ", " / ")),
        *("p.[Ala123Thr;Gly5Ser]", "p.[(Ala123Thr);(Gly5Ser)]", "p.(Ala123Thr;Gly5Ser)"),
        *("p.Ala123Thr;p.Gly5Ser", "[A123T; G5S]", "NP_1.1:p.[Ala123Thr;Gly5Ser]", "Ala123Thr_G5S"),
    ],
)
def test_substitutions_are_read_with_every_separator(text):
    assert parse_mutant(text) == DOUBLE


def test_all_residues_have_three_letters():
    names = "Ala Arg Asn Asp Cys Gln Glu Gly His Ile Leu Lys Met Phe Pro Ser Thr Trp Tyr Val"
    letters = "ARNDCQEGHILKMFPSTWYV"
    mutant = parse_mutant(":".join(f"{name}1Xaa" for name in names.split()))
    assert "".join(old for old, _, _ in mutant) == letters
    assert [new for _, _, new in mutant] == ["X"] * 20
    assert parse_mutant("Sec7Cys") == (("U", 7, "C"),)


def test_a_synonymous_substitution_keeps_its_residue_and_position():
    for text in ("A123A", "p.Ala123=", "p.(Ala123=)", "A123=", "Ala123Ala"):
        assert parse_mutant(text) == (("A", 123, "A"),)


@pytest.mark.parametrize(
    "text",
    [
        *("WT", "wt", "_wt", "wildtype", "wild-type", "Wild Type", "wild_type"),
        *("=", "p.=", "p.(=)", "_sy", " WT ", "NP_000537.3:p.="),
    ],
)
def test_the_wild_type_has_no_substitution(text):
    assert parse_mutant(text) == ()


@pytest.mark.parametrize(
    ("what", "texts"),
    [
        (STOP, ["A123*", "p.Ala123Ter", "p.(Trp24*)", "A123T:W24*", "a123ter", "*124Q"]),
        (
            INDEL,
            [
                *("K23del", "p.Lys23del", "p.Lys23_Val25del", "p.Lys2_Met3insGlnSer", "p.Val7dup"),
                *("p.Cys28_Lys29delinsTrp", "p.Arg97fs", "p.Arg97ProfsTer23", "A123-", "-123A"),
                *("A123-:G5S", "p.[Ala123Thr;Gly5del]", "p.Ter110GlnextTer17", "delK23"),
            ],
        ),
        (WHOLE_SEQUENCE, ["MKTAYIAKQRQISFVKSHFSR", "mktayiakqrqisfvkdelins", "MKTAYIAKQR" * 100]),
        (
            UNREADABLE,
            [
                *("", "nonsense", "A123", "123T", "123", "A123T:", ":A123T", "A123T::G5S", "A-1T"),
                *("Foo123Thr", "Al123Thr", "A123T|G5S", "A\u0663T", "A" + "9" * 50 + "T", "K2?"),
                *("p.[Ala123Thr];[Gly5Ser]", "p.[Ala123Thr(;)Gly5Ser]", "p.0", "p.?", "A1.5T"),
                *("G7S:p.[A123T]", "WT:A123T", "unidentified text", "9" * 100_000),
            ],
        ),
    ],
)
def test_what_is_not_a_list_of_substitutions_is_named(what, texts):
    for text in texts:
        assert parse_mutant(text) == what, text
