// Keyboard shortcuts: g and a letter to go somewhere, / to filter, ? for help.
const CHORD = 1200;

const isTyping = (target) => target.closest("input, textarea, select, [contenteditable]") !== null;

export function listen() {
  let went = -Infinity;
  document.addEventListener("keydown", (event) => {
    const plain = !event.ctrlKey && !event.metaKey && !event.altKey;
    if (!plain || isTyping(event.target) || document.querySelector("dialog[open]")) return;
    if (event.timeStamp - went < CHORD) {
      went = -Infinity;
      const link = document.querySelector(`nav a[data-key="${CSS.escape(event.key)}"]`);
      if (link) {
        event.preventDefault();
        link.click();
      }
    } else if (event.key === "g") {
      went = event.timeStamp;
    } else if (event.key === "?") {
      document.getElementById("help")?.showModal();
    } else if (event.key === "/") {
      const field = document.querySelector("[data-filter]");
      if (field) {
        event.preventDefault();
        field.focus();
        field.select();
      }
    }
  });
}
