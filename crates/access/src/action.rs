//! What can be done, and which roles may do it: the one table of rights.
//!
//! A right says what a role may do at all. Whose things it may do it to is the scope's matter
//! ([`crate::Principal::may_see`]); whether it costs or needs another's yes is the plan's and the policy's.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::principal::Role;

macro_rules! rights {
    ($($(#[$doc:meta])* $action:ident, $words:literal: $($role:ident)+;)+) => {
        /// One thing that the API can do. Written in `snake_case`.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum Action {
            $($(#[$doc])* $action,)+
        }

        impl Action {
            /// Every action, in the table's order.
            pub const ALL: &[Self] = &[$(Self::$action),+];

            /// The roles that may do it.
            pub fn roles(self) -> &'static [Role] {
                match self {
                    $(Self::$action => &[$(Role::$role),+],)+
                }
            }
        }

        impl fmt::Display for Action {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(match self {
                    $(Self::$action => $words,)+
                })
            }
        }
    };
}

rights! {
    // Cases.
    /// Read a case, its timeline and its proofs.
    ReadCase, "read a case": OperatorAdmin Technician Customer Agent;
    /// File a case.
    OpenCase, "open a case": OperatorAdmin Technician Customer Agent;
    /// Add a note to a case.
    CommentCase, "comment on a case": OperatorAdmin Technician Customer;
    /// Assign, route and move a case along.
    WorkCase, "work on a case": OperatorAdmin Technician;
    /// End a case.
    CloseCase, "close a case": OperatorAdmin Technician Customer;
    /// Take a case away as a file.
    ExportCase, "export a case": OperatorAdmin Technician Customer;
    /// Call an agent's skill.
    AskSkill, "ask a skill": OperatorAdmin Technician Customer Agent;
    /// Promise to pay for calls between nodes of the mesh.
    GrantCalls, "grant calls": OperatorAdmin Technician Customer;
    /// Read what the agents can do.
    ReadAgents, "read the agents": OperatorAdmin Technician Customer Agent;
    /// Draw up a change set.
    ProposeChange, "propose a change": OperatorAdmin Technician;
    /// Say yes or no to a change set.
    ApproveChange, "approve a change": OperatorAdmin Technician Customer;
    /// Undo a change that was applied.
    RollBackChange, "roll back a change": OperatorAdmin Technician Customer;
    /// Read findings, incidents and scan reports.
    ReadFinding, "read a finding": OperatorAdmin Technician Customer Agent;
    /// Read playbooks and their signatures.
    ReadPlaybook, "read a playbook": OperatorAdmin Technician Customer Device;

    // Devices.
    /// Read a device and its telemetry.
    ReadDevice, "read a device": OperatorAdmin Technician Customer Agent;
    /// Make a one-time enrolment token.
    MintEnrolment, "mint an enrolment token": OperatorAdmin Technician Customer;
    /// Enrol a device by hand, without a token.
    EnrolDevice, "enrol a device": OperatorAdmin Technician;
    /// Take a device out of care.
    RetireDevice, "retire a device": OperatorAdmin Technician Customer;
    /// Renew one's own certificate.
    RenewDevice, "renew a device": Device;
    /// Send telemetry of oneself.
    SendPulse, "send a pulse": Device;
    /// Take the work queued for oneself, and report on it.
    TakeCommand, "take a command": Device;

    // Money.
    /// Read plans and prices.
    ReadPlan, "read a plan": OperatorAdmin Technician Customer;
    /// Read metered use.
    ReadUsage, "read usage": OperatorAdmin Technician Customer;
    /// Read an invoice.
    ReadInvoice, "read an invoice": OperatorAdmin Technician Customer;
    /// Draw an invoice from rated use.
    DrawInvoice, "draw an invoice": OperatorAdmin;
    /// Record a payment.
    SettleInvoice, "settle an invoice": OperatorAdmin;
    /// Read a receipt.
    ReadReceipt, "read a receipt": OperatorAdmin Technician Customer Agent;

    // The house.
    /// Read a customer's account.
    ReadCustomer, "read a customer": OperatorAdmin Technician Customer;
    /// Make and change customers and their subscriptions.
    ManageCustomers, "manage customers": OperatorAdmin;
    /// Erase a customer with everything that is theirs.
    EraseCustomer, "erase a customer": OperatorAdmin;
    /// Make and change users.
    ManageUsers, "manage users": OperatorAdmin;
    /// Make, list and revoke the agent keys of a customer.
    ManageAgentKeys, "manage agent keys": OperatorAdmin Customer;
    /// End other people's and devices' sessions.
    RevokeTokens, "revoke tokens": OperatorAdmin;
    /// Read the logs' entries and proofs.
    ReadLedger, "read the ledger": OperatorAdmin Technician Customer Agent;
    /// Read the documents: those that come with Echo, the manual, the library.
    ReadDocument, "read the documents": OperatorAdmin Technician Customer Agent;
    /// Follow the live events.
    ReadEvents, "read events": OperatorAdmin Technician Customer;
    /// Read the platform's metrics.
    ReadMetrics, "read metrics": OperatorAdmin Technician;
    /// Read who did what.
    ReadAudit, "read the audit log": OperatorAdmin;
    /// Close a breaker that opened.
    ResetBreaker, "reset a breaker": OperatorAdmin Technician;
    /// Choose, bring and have learned what triage goes by.
    ManageTriage, "manage learned triage": OperatorAdmin;
    /// Read what runs by itself, run it now, let it rest.
    ManageSchedule, "manage the schedule": OperatorAdmin;
    /// Rotate and revoke keys, and change the trust registry.
    ManageTrust, "manage trust": OperatorAdmin;
}

/// Whether `role` may do `action`.
pub fn allowed(role: Role, action: Action) -> bool {
    action.roles().contains(&role)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The whole table, so that no right changes unseen: admin, technician, customer, device, agent.
    const PINNED: &str = "\
        ReadCase atc-g
        OpenCase atc-g
        CommentCase atc--
        WorkCase at---
        CloseCase atc--
        ExportCase atc--
        AskSkill atc-g
        GrantCalls atc--
        ReadAgents atc-g
        ProposeChange at---
        ApproveChange atc--
        RollBackChange atc--
        ReadFinding atc-g
        ReadPlaybook atcd-
        ReadDevice atc-g
        MintEnrolment atc--
        EnrolDevice at---
        RetireDevice atc--
        RenewDevice ---d-
        SendPulse ---d-
        TakeCommand ---d-
        ReadPlan atc--
        ReadUsage atc--
        ReadInvoice atc--
        DrawInvoice a----
        SettleInvoice a----
        ReadReceipt atc-g
        ReadCustomer atc--
        ManageCustomers a----
        EraseCustomer a----
        ManageUsers a----
        ManageAgentKeys a-c--
        RevokeTokens a----
        ReadLedger atc-g
        ReadDocument atc-g
        ReadEvents atc--
        ReadMetrics at---
        ReadAudit a----
        ResetBreaker at---
        ManageTriage a----
        ManageSchedule a----
        ManageTrust a----";

    #[test]
    fn the_table_of_rights_is_the_pinned_one() {
        let now: Vec<String> = Action::ALL
            .iter()
            .map(|action| {
                let cells: String = Role::ALL
                    .iter()
                    .zip("atcdg".chars())
                    .map(|(role, letter)| if allowed(*role, *action) { letter } else { '-' })
                    .collect();
                format!("{action:?} {cells}")
            })
            .collect();
        let pinned: Vec<&str> = PINNED.lines().map(str::trim).collect();
        assert_eq!(now, pinned);
    }

    #[test]
    fn an_admin_may_do_what_any_person_may() {
        for action in Action::ALL {
            let person = allowed(Role::Technician, *action) || allowed(Role::Customer, *action);
            assert!(!person || allowed(Role::OperatorAdmin, *action), "{action:?}");
        }
    }

    #[test]
    fn an_agent_may_do_nothing_that_its_customer_may_not() {
        for action in Action::ALL {
            assert!(!allowed(Role::Agent, *action) || allowed(Role::Customer, *action), "{action:?}");
        }
    }

    #[test]
    fn no_two_actions_share_their_words() {
        let words: std::collections::BTreeSet<String> = Action::ALL.iter().map(Action::to_string).collect();
        assert_eq!(words.len(), Action::ALL.len());
    }
}
