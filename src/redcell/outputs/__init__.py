"""Writers: JSON, a page of text, HTML, a letter, FHIR. They speak; they judge nothing."""
