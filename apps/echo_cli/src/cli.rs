//! The command line as a whole.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

use crate::{
    Failure, agent, agent_key, api::Api, atlas, attestation, backup, case, change, completions, content,
    customer, device, docs, eval, events, finding, health, invoice, keystore, ledgers, library, login, man,
    mcp, mesh, model, out::Out, place, plan, receipt, schedule, tour, treasury, triage, trust, user, vault,
    verify, witness,
};

/// Echo's command line: cases, fixes, bills and the proofs of all of them.
#[derive(Debug, Parser)]
#[command(name = "echo_cli", version, propagate_version = true, after_help = EXIT_CODES)]
pub struct Cli {
    /// Print JSON in place of tables
    #[arg(long, global = true)]
    json: bool,
    /// The folder to work in: for most commands your own (`$ECHO_CLI_HOME`), for `tour`, `content`,
    /// `docs`, `library`, `attestation`, `backup`, `bundle`, `keystore`, `model`, `trust` and `vault` the platform's (`$ECHO_HOME`)
    #[arg(long, global = true, value_name = "DIR")]
    home: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

const EXIT_CODES: &str = "Exit codes: 0 done, 1 failed, 2 wrong usage, 3 verification failed.\n\
    Colours are left out when NO_COLOR is set or the output is not a terminal.";

#[derive(Debug, Subcommand)]
enum Command {
    /// Take the tour: a platform, a device, a case, a fix, a proof and an invoice on this machine
    Tour(tour::Arguments),
    /// Verify an exported case file, without any platform or network
    Verify(verify::Arguments),
    /// Sign in to a platform with a one-time link
    Login(login::Arguments),
    /// End the session
    Logout,
    /// Say who is signed in, and where
    Whoami,
    /// Customers
    #[command(subcommand)]
    Customer(customer::Customer),
    /// People who sign in
    #[command(subcommand)]
    User(user::User),
    /// Devices
    #[command(subcommand)]
    Device(device::Device),
    /// Cases
    #[command(subcommand)]
    Case(case::Case),
    /// Change sets: proposed fixes
    #[command(subcommand)]
    Change(change::Change),
    /// Findings of posture scans
    #[command(subcommand)]
    Finding(finding::Finding),
    /// The mesh: nodes, paths, grants for calls between nodes
    #[command(subcommand)]
    Mesh(mesh::Mesh),
    /// Receipts of skill calls
    #[command(subcommand)]
    Receipt(receipt::Receipt),
    /// Invoices
    #[command(subcommand)]
    Invoice(invoice::Invoice),
    /// The agents that serve
    #[command(subcommand)]
    Agent(agent::Agent),
    /// Agent keys: credentials for programs, with the skills they may call and a cap on what they spend
    #[command(subcommand)]
    AgentKey(agent_key::AgentKey),
    /// The plans that can be bought
    #[command(subcommand)]
    Plan(plan::Plan),
    /// Speak MCP on standard input and output, for an agent framework that starts a program
    Mcp(mcp::Arguments),
    /// Follow what happens, line by line
    Events(events::Arguments),
    /// Say how the platform is: whether it can work, its network, its clock
    Health,
    /// The schedule: what the platform does by itself, when, and what came of it
    #[command(subcommand)]
    Schedule(schedule::Schedule),
    /// Check ledgers and their proofs, without any platform or network
    #[command(subcommand)]
    Ledger(ledgers::Ledger),
    /// Witnesses: those that cosign the ledgers, and the logs that the platform witnesses
    #[command(subcommand)]
    Witness(witness::Witness),
    /// Commitments: each ledger's heads, kept in the other ledger
    #[command(subcommand)]
    Treasury(treasury::Treasury),
    /// Attestations: their signatures, and the federated index of them
    #[command(subcommand)]
    Attestation(attestation::Attestation),
    /// Sign and check the content of a platform's home
    #[command(subcommand)]
    Content(content::Content),
    /// The documents that come with Echo: list them, read them, check that they are what was signed and entered
    #[command(subcommand)]
    Docs(docs::Docs),
    /// Your own documents: bring PDF, ZIM, HTML, Markdown and text in, so that Echo can look them up
    #[command(subcommand)]
    Library(library::Library),
    /// The signing keys of a platform's home: show them, protect them, keep them offline
    #[command(subcommand)]
    Keystore(keystore::Command),
    /// Who signs what for a platform, and how those keys are replaced
    #[command(subcommand)]
    Trust(trust::Command),
    /// The vault of a platform's home: secrets that are sealed anywhere and opened only where they may be
    #[command(subcommand)]
    Vault(vault::Command),
    /// Backups of a platform's home: made, checked, brought back, and opened from paper
    #[command(subcommand)]
    Backup(backup::Command),
    /// Learned triage: the topics of tickets, from resolved ones, on this machine
    #[command(subcommand)]
    Triage(triage::Triage),
    /// Local models: list them, add, verify and measure them
    Model(model::Arguments),
    /// Say how good the agents are, in figures, and whether a change made them worse
    ///
    /// Reads the questions in `evals` of Echo's repository, and needs no platform and no network.
    Eval(eval::Arguments),
    /// Bundles: one file with a whole Echo, to build, verify, install and update without any network
    #[command(subcommand)]
    Bundle(atlas::Bundle),
    /// Print a shell's completions
    Completions(completions::Arguments),
    /// Print the manual, or write one page a command
    Man(man::Arguments),
}

impl Cli {
    /// Does what was asked for.
    pub fn run(self) -> Result<(), Failure> {
        let out = Out::new(self.json);
        let home = self.home;
        let online = || Api::open(&place::person(home.clone())?);
        match self.command {
            Command::Tour(arguments) => tour::run(&arguments, home, out),
            Command::Verify(arguments) => verify::run(&arguments, out),
            Command::Login(arguments) => login::login(&arguments, &place::person(home)?, out),
            Command::Logout => login::logout(&place::person(home)?, out),
            Command::Whoami => login::whoami(&online()?, out),
            Command::Customer(command) => command.run(&online()?, out),
            Command::User(command) => command.run(&online()?, out),
            Command::Device(command) => command.run(&online()?, out),
            Command::Case(command) => command.run(&online()?, out),
            Command::Change(command) => command.run(&online()?, out),
            Command::Finding(command) => command.run(&online()?, out),
            Command::Mesh(command) => command.run(&online()?, out),
            Command::Receipt(command) => command.run(&online()?, out),
            Command::Invoice(command) => command.run(&online()?, out),
            Command::Agent(command) => command.run(&online()?, out),
            Command::AgentKey(command) => command.run(&online()?, out),
            Command::Plan(command) => command.run(&online()?, out),
            Command::Mcp(arguments) => mcp::run(&arguments, online),
            Command::Events(arguments) => events::run(&arguments, &online()?, out),
            Command::Health => health::run(&online()?, out),
            Command::Schedule(command) => command.run(online, out),
            Command::Ledger(command) => command.run(out),
            Command::Witness(command) => command.run(online, out),
            Command::Treasury(command) => command.run(online, out),
            Command::Attestation(command) => command.run(home, out),
            Command::Content(command) => command.run(&place::platform(home)?, out),
            Command::Docs(command) => command.run(&place::platform(home)?, out),
            Command::Library(command) => command.run(|| place::platform(home), out),
            Command::Keystore(command) => command.run(&place::platform(home)?, out),
            Command::Trust(command) => command.run(home, out),
            Command::Vault(command) => command.run(&place::platform(home)?, out),
            Command::Backup(command) => command.run(&place::platform(home)?, out),
            Command::Triage(command) => command.run(online, out),
            Command::Model(arguments) => arguments.run(home, out),
            Command::Eval(arguments) => eval::run(&arguments, home, out),
            Command::Bundle(command) => command.run(home, out),
            Command::Completions(arguments) => completions::run(&arguments),
            Command::Man(arguments) => man::run(&arguments),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }
}
