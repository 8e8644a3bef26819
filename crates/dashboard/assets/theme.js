// The theme button: automatic, light, dark. The choice stays in this browser.
const THEMES = ["automatic", "light", "dark"];
const root = document.documentElement;
const current = () => root.dataset.theme ?? "automatic";

for (const button of document.querySelectorAll("[data-theme]:is(button)")) {
  const name = button.querySelector("[data-theme-name]");
  name.textContent = current();
  button.addEventListener("click", () => {
    const next = THEMES[(THEMES.indexOf(current()) + 1) % THEMES.length];
    if (next === "automatic") delete root.dataset.theme;
    else root.dataset.theme = next;
    name.textContent = next;
    try {
      localStorage.setItem("echo.theme", next);
    } catch {
      // Storage is off: the choice lasts as long as the page.
    }
    document.dispatchEvent(new Event("echo:theme"));
  });
}

// The menu button of narrow screens.
for (const button of document.querySelectorAll("[data-menu]")) {
  button.addEventListener("click", () => {
    const open = button.getAttribute("aria-expanded") !== "true";
    button.setAttribute("aria-expanded", String(open));
    document.body.classList.toggle("menu-open", open);
  });
}
