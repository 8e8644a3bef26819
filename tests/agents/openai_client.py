"""Echo before the official OpenAI client: models, chats at once and as a stream, completions, embeddings, errors, a cap that
holds. Each call's receipt is looked for in a case file that `echo_cli verify` passes."""

import argparse
import base64
import hashlib
import json
import struct
import sys
import time
from pathlib import Path

import httpx2
import openai
from mcp_client import Wrong, check, verified

HELLO = [
    {"role": "system", "content": "You are a helpful technician. Answer in one sentence."},
    {"role": "user", "content": "Why does a printer print blank pages?"},
]
GREEDY = {"model": "default", "messages": HELLO, "temperature": 0, "max_tokens": 24}


def client(chosen, key):
    return openai.OpenAI(base_url=f"{chosen.url}openai/v1", api_key=key, max_retries=0, timeout=180)


def refused(what, kind, ask, code, word=""):
    try:
        ask()
    except kind as error:
        check(error.code == code and word in str(error), f"{what}: {error.status_code} {code}")
        return
    raise Wrong(f"{what} was not refused")


def signed(receipt):
    """What a receipt says."""
    return json.loads(base64.b64decode(receipt["document"]["envelope"]["payload"]))


def sha256(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def chatted(ai):
    whole = ai.chat.completions.create(**GREEDY)
    said = whole.choices[0].message.content
    check(said.strip() and whole.choices[0].finish_reason in ("stop", "length"), f"a chat is answered: {said.strip()[:60]!r}")
    check(0 < whole.usage.completion_tokens <= 24 < whole.usage.total_tokens, f"its tokens are counted: {whole.usage.total_tokens}")
    echo = whole.model_extra["echo"]
    check(signed(echo["receipt"])["output"] == sha256(said.encode()), "the receipt names the answer by its SHA-256")
    check(signed(echo["receipt"])["skill"] == "model.chat" and whole.id.endswith(echo["call"]["id"]), "and the call")
    trace = echo["call"]["trace"]
    check(trace["model"]["file"].startswith("sha256:") and trace["tokens"] == whole.usage.total_tokens, "the call's trace names the model")
    again = ai.chat.completions.create(**GREEDY)
    check(again.choices[0].message.content == said, "the likeliest answer is the same again")
    return said, [echo, again.model_extra["echo"]]


def streamed(ai, said):
    raw = ai.chat.completions.with_raw_response.create(**GREEDY, stream=True, stream_options={"include_usage": True})
    call = raw.headers["echo-call"]
    text, echo, usage, pieces = "", None, None, 0
    for chunk in raw.parse():
        usage = chunk.usage or usage
        echo = (chunk.model_extra or {}).get("echo") or echo
        for choice in chunk.choices:
            text += choice.delta.content or ""
            pieces += 1
    check(text == said and pieces > 3, f"a stream says the same in {pieces} pieces")
    check(usage.completion_tokens > 0 and echo["call"]["id"] == call, "and ends with its tokens, call and receipt")
    return echo


def gone(chosen, ai):
    """A caller that goes away: the model stops, and what it said is charged."""
    stream = ai.chat.completions.create(**{**GREEDY, "max_tokens": 2000, "messages": [{"role": "user", "content": "Count to a thousand, in words."}]}, stream=True)
    call = stream.response.headers["echo-call"]
    next(iter(stream))
    stream.close()
    headers = {"Authorization": f"Bearer {chosen.key}"}
    for _ in range(300):
        read = httpx2.get(f"{chosen.url}v1/calls/{call}", headers=headers).json()
        if read["state"] != "running":
            break
        time.sleep(0.1)
    check(read["state"] == "done" and read["receipt"], "a caller that goes away is charged for what was said")
    check(read["trace"]["tokens"] < 1000, f"and the model was stopped after {read['trace']['tokens']} tokens")
    return read


def embedded(ai):
    texts = ["The printer prints blank pages.", "Paper comes out empty from the printer.", "The invoice for November is wrong."]
    made = ai.embeddings.create(model="default", input=texts)
    a, b, c = (item.embedding for item in made.data)
    close, far = sum(x * y for x, y in zip(a, b)), sum(x * y for x, y in zip(a, c))
    check(abs(sum(x * x for x in a) - 1) < 1e-3 and close > far + 0.2, f"texts of like meaning lie close: {close:.2f}, {far:.2f}")
    floats = ai.embeddings.create(model="default", input=texts, encoding_format="float")
    check(max(abs(x - y) for x, y in zip(a, floats.data[0].embedding)) < 1e-6, "base64 and numbers say the same")
    echo = made.model_extra["echo"]
    numbers = b"".join(struct.pack(f"<{len(v)}f", *v) for v in (a, b, c))
    check(signed(echo["receipt"])["output"] == sha256(numbers), "the receipt names the vectors by their SHA-256")
    return [echo, floats.model_extra["echo"]]


def wrong(chosen, ai):
    ask = ai.chat.completions.create
    refused("an unknown model", openai.NotFoundError, lambda: ask(**{**GREEDY, "model": "gpt-9"}), "model_not_found", "gpt-9")
    tools = [{"type": "function", "function": {"name": "rm", "parameters": {}}}]
    refused("tools", openai.BadRequestError, lambda: ask(**GREEDY, tools=tools), "unsupported_parameter", "tools")
    refused("two answers", openai.BadRequestError, lambda: ask(**GREEDY, n=2), "unsupported_parameter")
    refused("no message", openai.BadRequestError, lambda: ask(**{**GREEDY, "messages": []}), "invalid_value", "messages")
    refused("a temperature of 9", openai.BadRequestError, lambda: ask(**{**GREEDY, "temperature": 9}), "invalid_value", "temperature")
    long = 2 * [{"role": "user", "content": "printer " * 7_000}]
    refused("more than the model reads", openai.BadRequestError, lambda: ask(**{**GREEDY, "messages": long}), "invalid_value")
    huge = [{"role": "user", "content": "x" * 2_000_000}]
    try:
        refused("megabytes", openai.APIStatusError, lambda: ask(**{**GREEDY, "messages": huge}), "too_large")
    except openai.APIConnectionError:
        print("  megabytes: the platform hung up while they were sent")
    odd = [{"role": "user", "content": "\u0000\u202e🖨️ ошибка 打印机 \ud7ff"}]
    check(ask(**{**GREEDY, "messages": odd, "max_tokens": 4}).choices, "every script is taken")
    poor = client(chosen, chosen.poor_key_file.read_text().strip())
    refused("a cap", openai.RateLimitError, lambda: poor.chat.completions.create(**GREEDY), "insufficient_quota", "of its 0.01 EUR this month")


def strangers(chosen, call):
    nobody = client(chosen, "echo_key_made_up")
    try:
        nobody.models.list()
        raise Wrong("a made-up key is let in")
    except openai.AuthenticationError:
        print("  a made-up key: 401")
    if call:
        other = {"Authorization": f"Bearer {chosen.other_key_file.read_text().strip()}"}
        answer = httpx2.get(f"{chosen.url}v1/calls/{call}", headers=other)
        check(answer.status_code == 404, "another customer's key does not see the call")


def main(chosen):
    ai = client(chosen, chosen.key)
    if chosen.without_model:
        check(list(ai.models.list()) == [], "no model is listed")
        refused("no model", openai.InternalServerError, lambda: ai.chat.completions.create(**GREEDY), "no_model", "text model")
        refused("no embedding model", openai.InternalServerError, lambda: ai.embeddings.create(model="default", input="x"), "no_model", "embedding model")
        strangers(chosen, None)
        return
    names = {model.id: model.model_extra["echo"]["kind"] for model in ai.models.list()}
    check(sorted(names.values()) == ["embedding", "text"], f"models are listed: {', '.join(names)}")
    said, echoes = chatted(ai)
    echoes.append(streamed(ai, said))
    text = ai.completions.create(model="default", prompt="Why does a printer print blank pages?", max_tokens=8, temperature=0)
    check(text.choices[0].text, "a completion is answered")
    echoes += [text.model_extra["echo"], *embedded(ai)]
    cancelled = gone(chosen, ai)
    wrong(chosen, ai)
    cases = {echo["call"]["case"] for echo in echoes} | {cancelled["case"]}
    check(len(cases) == 1, "a month's uses are in one case")
    verified(chosen, cases.pop(), [echo["receipt"] for echo in echoes])
    strangers(chosen, cancelled["id"])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", required=True, help="the platform, with a slash at the end")
    parser.add_argument("--key-file", required=True, type=Path, help="an agent key")
    parser.add_argument("--poor-key-file", required=True, type=Path, help="an agent key with a cap of one cent")
    parser.add_argument("--other-key-file", required=True, type=Path, help="an agent key of another customer")
    parser.add_argument("--without-model", action="store_true", help="the platform has no model")
    parser.add_argument("--cli", required=True, help="echo_cli")
    parser.add_argument("--person", required=True, help="the home of somebody who is signed in")
    parser.add_argument("--root", required=True, help="the fingerprint of the trust root")
    parser.add_argument("--scratch", required=True, type=Path)
    chosen = parser.parse_args()
    chosen.key = chosen.key_file.read_text().strip()
    try:
        main(chosen)
    except Wrong as wrong_one:
        print(f"FAILED: {wrong_one!r}", file=sys.stderr)
        sys.exit(1)
    print("1 passed, 0 failed")
