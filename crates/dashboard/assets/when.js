// Parts of a form that are asked only after a certain choice: `data-when="role=customer"`.

/** Shows the part when its form's field has the value; a hidden part is disabled, so neither required nor sent. */
function decide(part) {
  const [name, value] = part.dataset.when.split("=");
  const on = part.closest("form").elements[name].value === value;
  part.hidden = !on;
  part.disabled = !on;
}

const decideAll = (form) => form.querySelectorAll("[data-when]").forEach(decide);

export function listen() {
  document.addEventListener("change", (event) => {
    if (event.target.form) decideAll(event.target.form);
  });
  // A reset is told before the fields have their old values again.
  document.addEventListener("reset", ({ target }) => setTimeout(() => decideAll(target)));
  for (const part of document.querySelectorAll("[data-when]")) decide(part);
}
