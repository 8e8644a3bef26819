// Every page of somebody who is signed in: wires what the page has to what it does.
import "./theme.js";
import { listen as actions } from "./action.js";
import { listen as dialogs } from "./dialog.js";
import { listen as filters } from "./filter.js";
import { listen as intake } from "./intake.js";
import { listen as keys } from "./keys.js";
import { follow, pace } from "./live.js";
import { stay } from "./session.js";
import { keepTimes } from "./time.js";
import { listen as verifying } from "./verify-button.js";
import { listen as choices } from "./when.js";

dialogs();
actions();
filters();
intake();
choices();
keys();
verifying();
keepTimes();
if ("signedIn" in document.body.dataset) {
  stay();
  follow();
  pace();
}
