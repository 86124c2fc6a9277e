// An independent client (Medplum's) that works with a FHIR server; prints what it saw as JSON.
import { MedplumClient } from "@medplum/core";

const [base] = process.argv.slice(2);
const client = new MedplumClient({ baseUrl: base.replace(/fhir$/, ""), fhirUrlPath: "fhir", fetch, cacheTime: 0 });
client.setAccessToken("test");
const patient = await client.createResource({ resourceType: "Patient", gender: "female", birthDate: "1970-05-01", identifier: [{ system: "urn:hospital", value: "9" }] });
const same = await client.createResourceIfNoneExist({ resourceType: "Patient", gender: "female" }, "identifier=urn:hospital|9");
const changed = await client.updateResource({ ...patient, birthDate: "1970-05-02" });
const count = { resourceType: "Observation", status: "final", code: { coding: [{ system: "http://loinc.org", code: "718-7" }] }, subject: { reference: "urn:uuid:7c7f1f3e-51d0-4f4c-9b5f-5f5a3c1d2e01" }, effectiveDateTime: "2026-11-20T08:00:00Z", valueQuantity: { value: 7.6, unit: "g/dL", code: "g/dL" } };
const batch = await client.executeBatch({ resourceType: "Bundle", type: "transaction", entry: [
  { fullUrl: "urn:uuid:7c7f1f3e-51d0-4f4c-9b5f-5f5a3c1d2e01", request: { method: "POST", url: "Patient", ifNoneExist: "identifier=urn:hospital|9" }, resource: { resourceType: "Patient" } },
  { request: { method: "POST", url: "Observation" }, resource: count },
] });
const found = await client.searchResources("Observation", `patient=${patient.id}&code=718-7`);
const history = await client.readHistory("Patient", patient.id);
let refused = "";
try { await client.createResource({ resourceType: "Observation", status: "final" }); } catch (error) { refused = error.outcome.issue[0].code; }
console.log(JSON.stringify({ same: same.id === patient.id, birthDate: changed.birthDate, version: changed.meta.versionId, statuses: batch.entry.map((e) => e.response.status), found: found.map((o) => o.valueQuantity.value), versions: history.entry.length, refused }));
