"""User-facing errors and their exit codes. Any layer may import this module.

| exit | meaning |
| --- | --- |
| 0 | done |
| 2 | the source cannot be read at all, or the command was used wrongly; also a deceased patient |
| 3 | the patient is under 18 at the moment of the assessment |
| 4 | the policy file is not valid |
| 5 | the source holds several patients and none was chosen |
| 6 | `--strict` was given and something was set aside |
| 7 | `redcell why` was asked for a rule that did not run |
| 8 | the calibration file is not valid |
| 9 | the store or the service's settings cannot be used |
| 10 | the audit chain does not verify |
| 11 | `redcell cds-validate` found an error |

A code is never reused for another meaning.
"""

from __future__ import annotations


class RedcellError(Exception):
    """Something that the user can mend. The message says where, what was seen and what to do."""

    exit_code = 2


class UnreadableSourceError(RedcellError):
    """The file is not usable at all: nothing in it could be read as a patient's record."""


class DeceasedPatientError(RedcellError):
    """The patient has died by the moment of the assessment; there is nothing to assess."""


class UnderageError(RedcellError):
    """The patient is under 18: every threshold in redcell is for adults."""

    exit_code = 3


class PolicyError(RedcellError):
    """The site's policy file names an unknown entry, another unit, or a forbidden value."""

    exit_code = 4


class CalibrationError(RedcellError):
    """The calibration file cannot be read, or was not written by `redcell calibrate`."""

    exit_code = 8


class WhatIfError(RedcellError):
    """A what-if question is not understood, or asks about a drug that is not planned."""


class SeveralPatientsError(RedcellError):
    """The source holds more than one patient and the caller did not say which."""

    exit_code = 5


class SetAsideError(RedcellError):
    """`--strict`: part of the record was set aside."""

    exit_code = 6


class UnknownRuleError(RedcellError):
    """`redcell why` was asked for a rule or finding that did not run for this patient."""

    exit_code = 7


class StoreError(RedcellError):
    """The store cannot be opened, read or written."""

    exit_code = 9


class SettingsError(RedcellError):
    """The service's settings are not valid, or would be unsafe."""

    exit_code = 9


class AuditError(RedcellError):
    """The audit chain was broken: an entry was changed, removed, added or reordered."""

    exit_code = 10


class InvalidDocumentError(RedcellError):
    """A CDS Hooks request, response or service list has an error."""

    exit_code = 11
