"""A venue is named by the whole of what a source says, never by a part."""

from __future__ import annotations

import pytest

from tools.data.files import ROOT
from tools.records.venues import venue_of
from tools.rules.catalog import read

REAL = read(ROOT / "papers.yaml")
ACL = "Annual Meeting of the Association for Computational Linguistics"
FINDINGS = "Findings of the Association for Computational Linguistics"
ICML = "International Conference on Machine Learning"
NAACL = "Conference of the North American Chapter of the Association for Computational Linguistics"
NEURIPS = "Advances in Neural Information Processing Systems"


@pytest.mark.parametrize("venue", REAL.venues, ids=lambda venue: venue.id)
def test_every_venue_is_known_by_its_id_and_name(venue):
    assert venue_of(venue.id, REAL.venues) == venue_of(venue.name, REAL.venues) == venue


@pytest.mark.parametrize(
    ("text", "venue"),
    [
        (f"Proceedings of the 60th {ACL} (Volume 1: Long Papers)", "ACL"),
        (f"Proceedings of the 61st {ACL} (ACL)", "ACL"),
        (f"Proceedings of the 59th {ACL} and the 11th International Joint Conference on Natural "
         "Language Processing (Volume 1: Long Papers)", "ACL"),
        ("ACL/IJCNLP (1)", "ACL"),
        (f"{FINDINGS}: EMNLP 2021", "Findings of EMNLP"),
        (f"{FINDINGS}: ACL-IJCNLP 2021", "Findings of ACL"),
        (f"{FINDINGS} ACL 2024", "Findings of ACL"),
        (f"Proceedings of the 2021 {NAACL}: Human Language Technologies", "NAACL"),
        (f"Proceedings of the 2019 {NAACL}: Human Language Technologies, Volume 1 (Long and Short "
         "Papers)", "NAACL"),
        (NEURIPS, "NeurIPS"),
        (f"{NEURIPS} 33: Annual Conference on Neural Information Processing Systems 2020, NeurIPS "
         "2020, December 6-12, 2020, virtual", "NeurIPS"),
        (f"{NEURIPS} (NIPS)", "NeurIPS"),
        (f"{NEURIPS}, volume 35", "NeurIPS"),
        ("NeurIPS 2023", "NeurIPS"),
        ("The Eleventh International Conference on Learning Representations, ICLR 2023, Kigali, "
         "Rwanda, May 1-5, 2023", "ICLR"),
        ("ICLR 2023 poster", "ICLR"),
        ("ICLR 2021, Vienna, Austria", "ICLR"),
        (f"Proceedings of the 36th {ICML}, volume 97 of Proceedings of Machine Learning Research",
         "ICML"),
        (f"Thirty-sixth {ICML}", "ICML"),
        ("The Thirty-Fourth AAAI Conference on Artificial Intelligence, AAAI 2020, New York, NY",
         "AAAI"),
        ("AAAI-20", "AAAI"),
        ("Proceedings of the Second Workshop on Domain Adaptation for NLP", "AdaptNLP"),
        ("arXiv preprint arXiv:2106.09685", "arXiv"),
        ("CoRR, abs/2106.09685", "arXiv"),
        ("arXiv (Cornell University)", "arXiv"),
        ("arXiv:2106.09685 [cs]", "arXiv"),
        # others, whose names hold one of the catalog's
        ("NeurIPS 2023 Workshop on Distribution Shifts", None),
        (f"Proceedings of the 62nd {ACL} (Volume 4: Student Research Workshop)", None),
        (f"Proceedings of the 61st {ACL} (Volume 3: System Demonstrations)", None),
        (f"2022 21st IEEE {ICML} and Applications (ICMLA)", None),
        (f"{ICML} (ICMLA)", None),
        (f"The 5th {ICML}, Optimization, and Data Science", None),
        ("LLMAgents @ ICLR 2024", None),
        ("Submitted to ICLR 2024", None),
        ("ICLR 2022, Workshop", None),
        ("EMNLP 2021, Findings", None),
        ("EMNLP (Findings)", None),
        ("Association for Computational Linguistics", None),
        ("Journal of Learning", None),
        ("Correlations", None),
        ("An overlay of arXiv", None),
        ("Journal of Stamps", None),
        ("", None),
    ],
)  # fmt: skip
def test_venues(text, venue):
    found = venue_of(text, REAL.venues)
    assert (found.id if found else None) == venue
