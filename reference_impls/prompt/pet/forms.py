"""What the closed forms of PET are made of."""

from tests.closed_forms.terms import Spec, longer

# longer by the mask of its pattern; its unlabeled texts are as long as the batch
SPEC = Spec(**longer("1"), alone=True)
