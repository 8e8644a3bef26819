// Keeps the session alive while a page is open: the access token lives ten minutes, a new one is taken after eight.
const EVERY = 8 * 60 * 1000;
const STAMP = "echo.refreshed";

function lastRefresh() {
  try {
    return Number(localStorage.getItem(STAMP)) || 0;
  } catch {
    return 0;
  }
}

function note() {
  try {
    localStorage.setItem(STAMP, String(Date.now()));
  } catch {
    // Storage is off: each tab counts for itself.
  }
}

async function ask() {
  const response = await fetch("/session/refresh", { method: "POST" });
  const { signed_in: signedIn } = await response.json();
  if (signedIn) note();
  return signedIn;
}

/**
 * Takes a new access token unless another tab did so since `since` (milliseconds). Tabs take turns.
 * Answers whether there is a session.
 */
export async function refresh(since = Date.now()) {
  const turn = async () => (lastRefresh() > since ? true : ask());
  // Where the browser has no locks (plain http on a network), the server forgives two tabs at once.
  return navigator.locks ? navigator.locks.request("echo.refresh", turn) : turn();
}

/** Sends somebody whose session is over to the sign-in page, and back here afterwards. */
export function leave() {
  const here = location.pathname + location.search;
  location.assign(`/sign-in?next=${encodeURIComponent(here)}`);
}

/** Renews in time, and at once when a sleeping tab wakes up. */
export function stay() {
  if (lastRefresh() === 0) note();
  const check = async () => {
    if (document.hidden || Date.now() - lastRefresh() < EVERY) return;
    try {
      if (!(await refresh(Date.now() - EVERY))) leave();
    } catch {
      // No network: the next round tries again.
    }
  };
  setInterval(check, 30_000);
  document.addEventListener("visibilitychange", check);
}
