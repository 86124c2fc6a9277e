"""SMART on FHIR, both ways: apps and services get tokens here; EHRs open our chart page."""
