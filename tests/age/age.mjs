// The npm package age-encryption as a second reader and writer of the vault's files.
//
//   node age.mjs open-passphrase PASSPHRASE_FILE FILE    prints what is inside
//   node age.mjs open IDENTITY_FILE FILE                 prints what is inside
//   node age.mjs seal RECIPIENT < PLAIN                  prints the sealed file
//   node age.mjs seal-passphrase PASSPHRASE_FILE < PLAIN
import { readFileSync, writeSync } from "node:fs";
import { Decrypter, Encrypter } from "age-encryption";

const [what, key, file] = process.argv.slice(2);
const text = (path) => readFileSync(path, "utf8").trimEnd();

async function open(addKey) {
  const decrypter = new Decrypter();
  addKey(decrypter);
  return decrypter.decrypt(readFileSync(file));
}

async function seal(addKey) {
  const encrypter = new Encrypter();
  addKey(encrypter);
  return encrypter.encrypt(readFileSync(0));
}

const work = {
  "open-passphrase": () => open((d) => d.addPassphrase(text(key))),
  open: () => open((d) => text(key).split("\n").filter((l) => l && !l.startsWith("#")).forEach((l) => d.addIdentity(l))),
  seal: () => seal((e) => e.addRecipient(key)),
  "seal-passphrase": () => seal((e) => {
    e.setPassphrase(text(key));
    e.setScryptWorkFactor(15);
  }),
}[what];
if (!work) throw new Error(`there is no ${what}`);
writeSync(1, await work());
