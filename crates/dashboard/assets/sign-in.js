// The sign-in page: trades the secret in the link's fragment, or a pasted one, for a session.
import "./theme.js";
import { refresh } from "./session.js";

const place = document.getElementById("sign-in");

/** The secret in `https://host/sign-in#token=SECRET`, or the whole text when it is a bare token. */
export function secretIn(text) {
  const hash = text.includes("#") ? text.slice(text.indexOf("#") + 1) : text;
  return new URLSearchParams(hash).get("token") ?? hash.trim();
}

const onward = () => location.replace(place.dataset.next || "/");

async function signIn(secret, form) {
  const problem = form.querySelector("[data-problem]");
  const button = form.querySelector("button");
  problem.textContent = "";
  button.disabled = true;
  form.setAttribute("aria-busy", "true");
  try {
    const response = await fetch("/session", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ secret }),
    });
    if (response.ok) return onward();
    const told = await response.json().catch(() => ({}));
    problem.textContent = told.detail ?? "Signing in did not work. Try again.";
  } catch {
    problem.textContent = "The platform cannot be reached. Check the connection and try again.";
  }
  button.disabled = false;
  form.removeAttribute("aria-busy");
}

async function start() {
  const form = place.querySelector("[data-sign-in]");
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    signIn(secretIn(form.elements.secret.value), form);
  });
  if (location.hash.length > 1) {
    const secret = secretIn(location.hash);
    // The secret must not stay in the history.
    history.replaceState(null, "", location.pathname + location.search);
    await signIn(secret, form);
  } else if (await refresh().catch(() => false)) {
    // A link from another site opens without cookies; asked from here, they are there.
    onward();
  }
}

if (place) start();
