"""Echo before the official MCP client: over HTTP and over standard input and output, in both ways that the protocol has of
saying hello. Skills are called, and each call's receipt is looked for in a case file that `echo_cli verify` passes."""

import argparse
import asyncio
import base64
import contextlib
import json
import subprocess
import sys
import uuid
from pathlib import Path

import httpx2
from mcp import Client, StdioServerParameters
from mcp.client.streamable_http import streamable_http_client
from mcp_types import CallToolResult

SKILLS = {"triage_classify", "diagnostics_probe", "scanner_posture", "remediation_plan", "advisory_answer"}
RECORDS = {"list_forms", "open_case", "list_cases", "read_case", "read_call", "list_devices"}


class Wrong(Exception):
    """Something is not as it must be."""


def check(holds, what):
    if not holds:
        raise Wrong(what)
    print(f"  {what}")


def leaves(error):
    """The errors in a group of groups."""
    return [leaf for inner in error.exceptions for leaf in leaves(inner)] if isinstance(error, BaseExceptionGroup) else [error]


def words(result: CallToolResult):
    return " ".join(block.text for block in result.content)


@contextlib.asynccontextmanager
async def over_http(chosen, mode):
    headers = {"Authorization": f"Bearer {chosen.key}"}
    async with httpx2.AsyncClient(headers=headers, timeout=60) as http:
        transport = streamable_http_client(f"{chosen.url}mcp", http_client=http)
        async with Client(transport, mode=mode) as client:
            yield client


@contextlib.asynccontextmanager
async def over_stdio(chosen, mode):
    command, *rest = [*chosen.cli.split(), "mcp", "--url", chosen.url, "--key-file", str(chosen.key_file)]
    async with Client(StdioServerParameters(command=command, args=rest), mode=mode) as client:
        yield client


async def listed(client):
    tools = {tool.name: tool for tool in (await client.list_tools()).tools}
    check(SKILLS | RECORDS == set(tools), f"{len(tools)} tools are listed")
    check("remediation_apply" not in tools, "what a person approves is no tool")
    schema = tools["advisory_answer"].input_schema
    check(set(schema["required"]) == {"case", "question"}, "a tool's input has a schema")
    prompts = (await client.list_prompts()).prompts
    check(len(prompts) > 0, f"{len(prompts)} playbooks are listed as prompts")
    prompt = await client.get_prompt(prompts[0].name)
    check("You cannot apply it" in prompt.messages[0].content.text, "a playbook reads as a prompt")
    templates = (await client.list_resource_templates()).resource_templates
    check(templates[0].uri_template.startswith("echo://documents/"), "documents are listed as resources")


async def worked(client):
    """Opens a case, calls skills on it; the case, and the receipts of the calls."""
    forms = (await client.call_tool("list_forms", {})).structured_content["forms"]
    form = next(f for f in forms if f["id"] == "general-help")
    answers = {
        field["id"]: field["choices"][0] if field["kind"] == "choice" else "yes" if field["kind"] == "yes_no" else
        "The printer in the office prints nothing but blank pages since Monday."
        for field in form["fields"]
        if field["required"]
    }
    opening = {"form": form["id"], "answers": answers, "idempotency_key": str(uuid.uuid4())}
    opened = (await client.call_tool("open_case", opening)).structured_content
    case = opened["case"]["id"]
    again = (await client.call_tool("open_case", opening)).structured_content
    check(again["case"]["id"] == case, "the same key opens one case")

    key = str(uuid.uuid4())
    triaged = (await client.call_tool("triage_classify", {"case": case, "idempotency_key": key})).structured_content
    check(triaged["call"]["state"] == "done" and triaged["receipt"], f"triage answers: {triaged['call']['output']['category']}")
    twice = (await client.call_tool("triage_classify", {"case": case, "idempotency_key": key})).structured_content
    check(twice["call"]["id"] == triaged["call"]["id"], "the same key is one call, and one receipt")

    question = {"case": case, "question": "What was wrong with the printer?"}
    advised = (await client.call_tool("advisory_answer", question)).structured_content
    check(advised["call"]["state"] == "done", "advice answers")

    probed = await client.call_tool("diagnostics_probe", {"case": case})
    check(probed.is_error and "device" in words(probed), f"a case without a device cannot be probed: {words(probed)}")
    read = (await client.call_tool("read_call", {"id": triaged["call"]["id"]})).structured_content
    # The proof is another: the ledger has grown.
    same = read["receipt"]["document"]["envelope"] == triaged["receipt"]["document"]["envelope"]
    check(read["call"] == triaged["call"] and same, "a call is read again with its receipt")

    receipts = [c["receipt"] for c in (triaged, advised) if c["receipt"]]
    address = f"echo://documents/receipt/{triaged['call']['receipt']}"
    resource = json.loads((await client.read_resource(address)).contents[0].text)
    check(resource["document"]["envelope"] == triaged["receipt"]["document"]["envelope"], "the receipt is a resource too")
    resources = (await client.list_resources()).resources
    check(address in {str(r.uri) for r in resources}, f"{len(resources)} receipts are listed as resources")
    return case, receipts


async def refused(client):
    stranger = "case_" + "0" * 32
    result = await client.call_tool("triage_classify", {"case": stranger})
    check(result.is_error and "there is no case" in words(result), "a case of nobody's is not found")
    for name, arguments in [("triage_classify", {"case": 7}), ("triage_classify", {}), ("remediation_apply", {"case": stranger})]:
        try:
            result = await client.call_tool(name, arguments)
            check(result.is_error, f"{name} {arguments} is refused")
        except Exception as error:  # the SDK's own error for a protocol error
            print(f"  {name} {arguments} is refused: {str(error)[:80]}")


def verified(chosen, case, receipts):
    """The case file holds just these receipts, and passes."""
    file = chosen.scratch / f"{case}.json"
    cli = chosen.cli.split()
    subprocess.run([*cli, "--home", chosen.person, "case", "export", case, "--out", str(file)], check=True, stdout=subprocess.DEVNULL)
    passed = subprocess.run([*cli, "verify", str(file), "--root", chosen.root], check=True, capture_output=True, text=True)
    held = base64.b64decode(json.loads(file.read_text())["payload"]).decode()
    for receipt in receipts:
        check(receipt["document"]["envelope"]["signatures"][0]["sig"] in held, f"receipt {receipt['document']['id']} is in the case file")
    print(f"  {passed.stdout.strip().splitlines()[-1]}")


async def strangers(chosen):
    """Nobody gets in without a key."""
    async with httpx2.AsyncClient(timeout=30) as http:
        hello = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
        accept = {"Accept": "application/json, text/event-stream"}
        for what, headers in [("no key", {}), ("a made-up key", {"Authorization": "Bearer echo_key_made_up"})]:
            answer = await http.post(f"{chosen.url}mcp", json=hello, headers={**accept, **headers})
            check(answer.status_code == 401 and "www-authenticate" in answer.headers, f"{what}: 401")
    headers = {**accept, "Authorization": f"Bearer {chosen.key}", "Content-Type": "application/json"}
    for what, content, status in [("a megabyte", b"[" * 1_000_000, 413), ("what is no message", b"[" * 100_000, 415)]:
        async with httpx2.AsyncClient(timeout=30) as http:
            try:
                answer = await http.post(f"{chosen.url}mcp", content=content, headers=headers)
                check(answer.status_code == status, f"{what}: {status}")
            except httpx2.TransportError:
                print(f"  {what}: the platform hung up while it was sent")


async def capped(chosen):
    """A key with a cap of one cent: not even a triage is within it."""
    async with over_http(argparse.Namespace(url=chosen.url, key=chosen.poor_key_file.read_text().strip()), "auto") as client:
        answers = {"what_happened": "It is slow."}
        result = await client.call_tool("open_case", {"form": "general-help", "answers": answers})
        check(result.is_error and "of its 0.01 EUR this month" in words(result), f"a cap holds: {words(result)}")


async def main(chosen):
    await strangers(chosen)
    await capped(chosen)
    for name, over in [("HTTP", over_http), ("stdio", over_stdio)]:
        for mode in ["auto", "legacy"]:
            print(f"{name}, {mode}:")
            async with over(chosen, mode) as client:
                print(f"  protocol {client.protocol_version}, server {client.server_info.name} {client.server_info.version}")
                await listed(client)
                case, receipts = await worked(client)
                await refused(client)
            verified(chosen, case, receipts)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", required=True, help="the platform, with a slash at the end")
    parser.add_argument("--key-file", required=True, type=Path, help="an agent key")
    parser.add_argument("--poor-key-file", required=True, type=Path, help="an agent key with a cap of one cent")
    parser.add_argument("--cli", required=True, help="echo_cli")
    parser.add_argument("--person", required=True, help="the home of somebody who is signed in")
    parser.add_argument("--root", required=True, help="the fingerprint of the trust root")
    parser.add_argument("--scratch", required=True, type=Path)
    chosen = parser.parse_args()
    chosen.key = chosen.key_file.read_text().strip()
    try:
        asyncio.run(main(chosen))
    except BaseExceptionGroup as group:
        for wrong in leaves(group):
            print(f"FAILED: {wrong!r}", file=sys.stderr)
        sys.exit(1)
    print("1 passed, 0 failed")
