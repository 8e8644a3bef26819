// The form that opens a case: shows the questions of the chosen intake form, and the devices of the chosen customer.

function chooseForm(form) {
  const chosen = form.querySelector("[data-form]").value;
  for (const questions of form.querySelectorAll("[data-of-form]")) {
    const on = questions.dataset.ofForm === chosen;
    questions.hidden = !on;
    // Disabled fields are neither required nor sent.
    questions.disabled = !on;
  }
}

function chooseCustomer(form) {
  const customer = form.querySelector("[data-customer]");
  if (!customer) return;
  const device = form.querySelector('[name="device"]');
  for (const option of device.options) {
    const other = option.dataset.of !== undefined && option.dataset.of !== customer.value;
    option.hidden = other;
    option.disabled = other;
    if (other && option.selected) device.value = "";
  }
}

export function listen() {
  const form = document.querySelector("form[data-intake]");
  if (!form) return;
  const choose = () => {
    chooseForm(form);
    chooseCustomer(form);
  };
  form.addEventListener("change", choose);
  choose();
}
