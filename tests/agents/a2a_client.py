"""Echo before the official A2A client: the card and the operator's signature on it, tasks at once and as a stream, follow-up
questions, the same message twice. Each task's receipt is looked for in a case file that `echo_cli verify` passes."""

import argparse
import asyncio
import base64
import copy
import json
import sys
import uuid
from pathlib import Path

import httpx
from a2a.client import A2ACardResolver, ClientConfig, create_client
from a2a.client.errors import A2AClientError
from a2a.types.a2a_pb2 import (
    CancelTaskRequest,
    GetTaskRequest,
    ListTasksRequest,
    Message,
    Part,
    Role,
    SendMessageRequest,
    SubscribeToTaskRequest,
    TaskState,
)
from a2a.utils.errors import (
    A2AError,
    InvalidParamsError,
    TaskNotCancelableError,
    TaskNotFoundError,
    UnsupportedOperationError,
)
from a2a.utils.signing import InvalidSignaturesError, create_signature_verifier
from google.protobuf.json_format import MessageToDict, ParseDict
from google.protobuf.struct_pb2 import Value
from jwt import PyJWK
from mcp_client import Wrong, check, verified

WORRY = "The printer in the office prints nothing but blank pages since Monday."


def operator_keys(home: Path):
    """The operator's keys, as the newest trust registry lists them."""
    chain = json.loads((home / "sovereign_trust_registry.json").read_text())
    newest = (chain["versions"] if isinstance(chain, dict) else chain)[-1]
    registry = json.loads(base64.b64decode(newest["payload"]))
    return registry["roles"]["operator"]["keys"]


def verifier(home: Path):
    def key_of(kid, jku):
        for key in operator_keys(home):
            raw = bytes.fromhex(key)
            return PyJWK({"kty": "OKP", "crv": "Ed25519", "x": base64.urlsafe_b64encode(raw).decode().rstrip("=")}, algorithm="EdDSA")

    return create_signature_verifier(key_of, ["EdDSA"])


async def carded(chosen):
    """The card: anybody may read it; the operator signed it."""
    async with httpx.AsyncClient(timeout=30) as http:
        card = await A2ACardResolver(http, chosen.url).get_agent_card(signature_verifier=verifier(Path(chosen.home)))
    skills = {skill.id for skill in card.skills}
    check({"open_case", "triage.classify", "advisory.answer"} <= skills, f"the card is signed, and offers {len(skills)} skills")
    check(not skills & {"remediation.apply", "model.chat"}, "what a person approves is no skill of the card")
    forged = copy.deepcopy(card)
    forged.supported_interfaces[0].url = "https://elsewhere.example/a2a"
    try:
        verifier(Path(chosen.home))(forged)
        raise Wrong("a card with another address passes")
    except InvalidSignaturesError:
        print("  a card with another address does not pass")
    said = str(MessageToDict(card))
    check("cus_" not in said and "Marta" not in said, "the card says nothing about customers")
    # The suite's platform says an address that others would use; here it is a port of this machine.
    card.supported_interfaces[0].url = f"{chosen.url}a2a"
    return card


def client(card, key, streaming):
    http = httpx.AsyncClient(headers={"Authorization": f"Bearer {key}"}, timeout=60)
    return create_client(card, ClientConfig(streaming=streaming, httpx_client=http))


def message(*parts, context="", name=None):
    return SendMessageRequest(
        message=Message(message_id=name or str(uuid.uuid4()), role=Role.ROLE_USER, parts=parts, context_id=context)
    )


def text(words):
    return Part(text=words)


def data(**fields):
    return Part(data=ParseDict(fields, Value()))


async def sent(client, request):
    """The task as it is when the client is told no more."""
    task, updates = None, 0
    async for event in client.send_message(request):
        if event.HasField("task"):
            task = event.task
        elif event.HasField("status_update"):
            task.status.CopyFrom(event.status_update.status)
            updates += 1
        elif event.HasField("artifact_update"):
            task.artifacts.append(event.artifact_update.artifact)
            updates += 1
    return task


def artifact(task, name):
    found = next((a for a in task.artifacts if a.artifact_id == name), None)
    return MessageToDict(found.parts[-1].data) if found else None


async def refused(what, kind, work, *say):
    try:
        await work
    except (A2AError, A2AClientError) as error:
        check(isinstance(error, kind) and all(word in str(error) for word in say), f"{what}: {str(error)[:100]}")
        return
    raise Wrong(f"{what} was not refused")


async def worked(agent):
    """Opens a case by a text, asks about it, names a skill; the case, and the receipts."""
    opening = message(text(WORRY))
    task = await sent(agent, opening)
    check(task.status.state == TaskState.TASK_STATE_COMPLETED, "a text opens a case and is triaged")
    triage, receipt = artifact(task, "output"), artifact(task, "receipt")
    check(triage["category"] and receipt["document"]["envelope"], f"its artifacts are the triage ({triage['category']}) and a receipt")
    again = await sent(agent, opening)
    check(again.id == task.id, "the same message is one task")
    receipts = [receipt]

    asked = await sent(agent, message(text("What was wrong with the printer?"), context=task.context_id))
    check(asked.context_id == task.context_id and asked.metadata["skill"] == "advisory.answer", "a text in a context is a question")
    if artifact(asked, "receipt"):
        receipts.append(artifact(asked, "receipt"))
    named = await sent(agent, message(data(skill="triage.classify", case=task.context_id)))
    check(named.status.state == TaskState.TASK_STATE_COMPLETED, "data names a skill")
    receipts.append(artifact(named, "receipt"))

    read = await agent.get_task(GetTaskRequest(id=task.id))
    check(artifact(read, "output") == triage, "a task is read again")
    listed = await agent.list_tasks(ListTasksRequest(context_id=task.context_id))
    check({t.id for t in listed.tasks} == {task.id, asked.id, named.id} and listed.total_size == 3, "the case's tasks are listed")
    page = await agent.list_tasks(ListTasksRequest(context_id=task.context_id, page_size=2))
    rest = await agent.list_tasks(ListTasksRequest(context_id=task.context_id, page_size=2, page_token=page.next_page_token))
    check(len(page.tasks) == 2 and len(rest.tasks) == 1, "page by page")
    return task, receipts


async def wrong(agent, task, streaming):
    stranger = "call_" + "0" * 32
    await refused("nobody's task", TaskNotFoundError, agent.get_task(GetTaskRequest(id=stranger)))
    await refused("no id at all", TaskNotFoundError, agent.get_task(GetTaskRequest(id="x")))
    await refused("an ended task goes on", TaskNotCancelableError, agent.cancel_task(CancelTaskRequest(id=task.id)))
    await refused("an unknown skill", InvalidParamsError, sent(agent, message(data(skill="shell.run", case=task.context_id))))
    await refused("a field too many", InvalidParamsError, sent(agent, message(data(skill="triage.classify", case=task.context_id, sudo=True))))
    await refused("a person's decision", UnsupportedOperationError, sent(agent, message(data(skill="remediation.apply", case=task.context_id))))
    await refused("a skill without its device", UnsupportedOperationError, sent(agent, message(data(skill="diagnostics.probe", case=task.context_id))), "device")
    if streaming:
        follow = agent.subscribe(SubscribeToTaskRequest(id=task.id))
        await refused("following an ended task", UnsupportedOperationError, anext(follow))


async def apart(chosen, card, task):
    """Another customer's agent sees nothing of it, and a poor one pays nothing."""
    agent = await client(card, chosen.other_key_file.read_text().strip(), False)
    await refused("another customer's task", TaskNotFoundError, agent.get_task(GetTaskRequest(id=task.id)))
    await refused("another customer's task to cancel", TaskNotFoundError, agent.cancel_task(CancelTaskRequest(id=task.id)))
    listed = await agent.list_tasks(ListTasksRequest())
    check(not listed.tasks and listed.total_size == 0, "another customer's tasks are not listed")
    listed = await agent.list_tasks(ListTasksRequest(context_id=task.context_id))
    check(not listed.tasks, "nor by their case")
    await refused("another customer's case", InvalidParamsError, sent(agent, message(text("What is it?"), context=task.context_id)), "there is no case")
    poor = await client(card, chosen.poor_key_file.read_text().strip(), False)
    await refused("a cap holds", A2AClientError, sent(poor, message(text(WORRY))), "of its 0.01 EUR this month")
    answer = await posted(chosen, "ListTasks", {})
    check(answer.status_code == 401 and "www-authenticate" in answer.headers, "no key: 401")
    headers = {"Authorization": f"Bearer {chosen.key}", "A2A-Version": "0.3"}
    answer = await posted(chosen, "message/send", headers)
    check(answer.json()["error"]["code"] == -32009, "another version of the protocol is told so")


async def posted(chosen, method, headers):
    """The answer to a bare request, on a connection of its own: who is not let in is answered before the body is read, and
    the connection may end with that."""
    async with httpx.AsyncClient(timeout=30) as http:
        return await http.post(f"{chosen.url}a2a", json={"jsonrpc": "2.0", "id": 1, "method": method}, headers=headers)


async def main(chosen):
    card = await carded(chosen)
    for name, streaming in [("at once", False), ("as a stream", True)]:
        print(f"{name}:")
        agent = await client(card, chosen.key, streaming)
        task, receipts = await worked(agent)
        await wrong(agent, task, streaming)
        verified(chosen, task.context_id, receipts)
    await apart(chosen, card, task)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", required=True, help="the platform, with a slash at the end")
    parser.add_argument("--home", required=True, help="the platform's home, for its trust registry")
    parser.add_argument("--key-file", required=True, type=Path, help="an agent key")
    parser.add_argument("--poor-key-file", required=True, type=Path, help="an agent key with a cap of one cent")
    parser.add_argument("--other-key-file", required=True, type=Path, help="an agent key of another customer")
    parser.add_argument("--cli", required=True, help="echo_cli")
    parser.add_argument("--person", required=True, help="the home of somebody who is signed in")
    parser.add_argument("--root", required=True, help="the fingerprint of the trust root")
    parser.add_argument("--scratch", required=True, type=Path)
    chosen = parser.parse_args()
    chosen.key = chosen.key_file.read_text().strip()
    try:
        asyncio.run(main(chosen))
    except Wrong as wrong_one:
        print(f"FAILED: {wrong_one!r}", file=sys.stderr)
        sys.exit(1)
    print("1 passed, 0 failed")
