"""LaTeX becomes the text that it prints, or is refused by name."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tools.records.latex import STYLES, decoded
from tools.records.plain import plain
from tools.records.record import SourceError, letters


@pytest.mark.parametrize(
    ("latex", "text"),
    [
        (r"{\LaTeX} of \mbox{Llama-2} and \texttt{code}", "LaTeX of Llama-2 and code"),
        (r"\textsf{a} \textmd{b} \hbox{c} {\em d} {\bf e}", "a b c d e"),
        (r"Thin \emph{Up\textsc{dates}} for \texttt{run\_glue}", "Thin Updates for run_glue"),
        (r"R\&D of 10\% {LoRA}: A \$5 Study", "R&D of 10% LoRA: A $5 Study"),
        ("50% of it", "50% of it"),
        (r"{\textless}i{\textgreater}E. coli{\textless}/i{\textgreater}", "E. coli"),
        ("a --- b -- c ``q'' don't", "a — b – c “q” don't"),
        ("`Why?' and `so'", "‘Why?’ and ‘so’"),
        (r"Nguy{\~\^e}n L{\'\u a}m B{\'\i}nh T{\'{\^e}} {\d{\^o}}", "Nguyễn Lắm Bính Tế ộ"),
        (r"Ph{\d{a}}m H\h{a}i Th{\h u} Tr{\uhorn}{\ohorn}ng", "Phạm Hải Thủ Trương"),
        (r"Gro\ss e \O stergaard \L ukasz na\"\i ve", "Große Østergaard Łukasz naïve"),
        (r"\v{c} \H{o} \c{S} \r a \. z \u{g}", "č ő Ş å ż ğ"),
        (r"{\textcommabelow{t}} \DJ \k{a}", "ț Đą"),
        (r"O\textquoteright Neil~A.\ B.", "O'Neil A. B."),
        (r"$\ell_1$ and {$\mathcal{O}(n \log n)$}", "ℓ₁ and O(n log n)"),
        (r"H$_2$O, $x^{2}$, $\ell_p$, $k$-NN, $\alpha\to\beta$", "H₂O, x², ℓₚ, k-NN, α→β"),
        (r"10\({}^{\mbox{th}}\) 19$^{th}$ 3$^{\rm rd}$", "10th 19th 3rd"),
        (r"\(\ell\)\({}_{\mbox{p}}\) x\({}^{\mbox{3}}\) 10\(^{\mbox{-2}}\)", "ℓₚ x³ 10⁻²"),
        (r"${\rm CO_{2}}$ $x^{\text{a}}$ $y_\mathrm{i}$ ${x_{1}}^{2}$", "CO₂ xᵃ yᵢ x₁²"),
        (r"1\textsuperscript{st} m\textsuperscript{2}", "1st m²"),
        (r"\url{https://a.example/b_c}", "https://a.example/b_c"),
        (r"\href{https://a.example/b_c}{Thin} Updates", "Thin Updates"),
        (r"Vuji\ifmmode \acute{c}\else \'{c}\fi{}", "Vujić"),
        (r"pp\ifmmode\bar\else\textasciimacron\fi{} b", "pp¯ b"),
        ("cafe\u0301 d{\\i}\u0301a", "café día"),
        (r"a\textperiodcentered b \textasciitilde 5", "a·b ~5"),
    ],
)  # fmt: skip
def test_what_it_prints(latex, text):
    assert decoded(latex) == text


@pytest.mark.parametrize(
    ("latex", "complaint"),
    [
        (r"a \foo{bar}", r"'\foo' is no LaTeX command that is known here"),
        (r"Ji{\'{}\i}", r"the accent '\'' stands on no letter"),
        (r"\'\href{b}", "cannot be read"),
        (r"\input{/etc/passwd}", r"'\input' is no LaTeX"),
        (r"\begin{foo}a\end{foo}", r"'\begin{foo}' is no LaTeX"),
        (r"\today", r"'\today' is no LaTeX"),
        (r"\t{oo}", r"'\t' is no LaTeX"),
        (r"$\frac{1}{2}$", r"'\frac' is no LaTeX"),
        (r"$\ell_\infty$", "has no plain form"),
        (r"\$\ell_1\$-norm", "is a formula with '\\$'"),
        (r"$p^{\ensuremath{\prime}}$", "has no plain form"),
        ("$x_{A}$", "has no plain form"),
        ("a $5 bill", "without their partner"),
        ("{a", "without their partner"),
        ("a}", "without their partner"),
        ("\\'", "without their partner"),
        ("{" * 3000 + "}" * 3000, "cannot be read"),
    ],
)
def test_what_is_refused(latex, complaint):
    with pytest.raises(SourceError) as caught:
        decoded(latex)
    assert complaint in str(caught.value)


@pytest.mark.parametrize("style", STYLES)
def test_no_style_takes_its_text_with_it(style):
    assert decoded(rf"a \{style}{{b}} c") == "a b c"


WORDS = [
    "Ab",
    "c",
    " ",
    "{",
    "}",
    r"\'",
    r"\emph{",
    r"\c ",
    "$",
    "^",
    "~",
    "--",
    "`",
    r"\o ",
    r"\foo",
]


@settings(max_examples=300)
@given(st.lists(st.sampled_from(WORDS), max_size=12).map("".join))
def test_no_letter_vanishes(latex):
    """Whatever is read has every letter of the source in it that is no command's."""
    try:
        text = letters(decoded(latex))
    except SourceError:
        return
    source = letters(latex.replace(r"\emph", "").replace(r"\c ", "").replace(r"\o ", "o"))
    assert text == source


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("H<sub>2</sub>O &amp; CO<sub>2</sub>", "H2O & CO2"),
        ("<i>E. coli</i> x<sup>2</sup> 1<sup>st</sup>", "E. coli x² 1st"),
        ("R&amp;amp;D &lt;i&gt;a&lt;/i&gt;", "R&D a"),
        ('<span class="nocase">a</span> <jats:italic>b</jats:italic>', "a b"),
        ("Search&region of AT&T; a < b and b > a", "Search&region of AT&T; a < b and b > a"),
        ("<script>a</script> <mask>", "<script>a</script> <mask>"),
        ("Mu\u0308ller\u200b\u00a0 a\u2010b\u00ad", "Müller a-b"),
        ("D’Souza's", "D'Souza's"),
        ("‘so’", "‘so’"),
    ],
)
def test_plain_text(text, clean):
    assert plain(text) == clean
