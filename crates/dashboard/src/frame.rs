//! What stands around every page: who looks, where they are, what time it is.

use access::{Action, Principal, Role};
use echo_core::Timestamp;

use crate::{asset, piece::When};

/// A place in the navigation: path, name, and the letter that leads there after `g`.
pub(crate) struct Place {
    pub(crate) path: &'static str,
    pub(crate) name: &'static str,
    pub(crate) key: char,
}

/// The place that only the operator's people are shown.
const PEOPLE: &str = "/people";
/// The place that only operator admins are shown.
const SCHEDULE: &str = "/schedule";

const PLACES: [Place; 11] = [
    Place { path: "/", name: "Overview", key: 'o' },
    Place { path: "/cases", name: "Cases", key: 'c' },
    Place { path: "/devices", name: "Devices", key: 'd' },
    Place { path: "/mesh", name: "Mesh", key: 'm' },
    Place { path: "/findings", name: "Findings", key: 'f' },
    Place { path: "/receipts", name: "Receipts", key: 'r' },
    Place { path: "/invoices", name: "Invoices", key: 'i' },
    Place { path: PEOPLE, name: "People", key: 'p' },
    Place { path: SCHEDULE, name: "Schedule", key: 's' },
    Place { path: "/documents", name: "Documents", key: 'b' },
    Place { path: "/trust", name: "Trust", key: 't' },
];

/// Who a page is for.
enum For {
    /// Somebody who is signed in.
    Person(Principal),
    /// Anybody: a page about an error.
    Nobody,
    /// Somebody who is not signed in.
    Stranger,
}

/// The frame of one page.
pub(crate) struct Frame {
    title: String,
    path: &'static str,
    whom: For,
    now: Timestamp,
    /// Where the style sheet and scripts are.
    pub(crate) assets: &'static str,
}

impl Frame {
    /// For somebody who is signed in. `path` is the place in the navigation.
    pub(crate) fn new(
        title: impl Into<String>,
        path: &'static str,
        principal: Principal,
        now: Timestamp,
    ) -> Self {
        Self::whom(title.into(), path, For::Person(principal), now)
    }

    /// For a page that anybody may get, such as an error.
    pub(crate) fn of_nobody(title: &str) -> Self {
        Self::whom(title.to_owned(), "", For::Nobody, Timestamp::UNIX_EPOCH)
    }

    /// For somebody who is not signed in.
    pub(crate) fn of_stranger(title: &str) -> Self {
        Self::whom(title.to_owned(), "", For::Stranger, Timestamp::UNIX_EPOCH)
    }

    fn whom(title: String, path: &'static str, whom: For, now: Timestamp) -> Self {
        Self { title, path, whom, now, assets: &asset::BASE }
    }

    /// The same frame at another place and time.
    pub(crate) fn at(self, path: &'static str, now: Timestamp) -> Self {
        Self { path, now, ..self }
    }

    pub(crate) fn title(&self) -> &str {
        &self.title
    }

    /// Whether there is nobody to sign out.
    pub(crate) fn is_stranger(&self) -> bool {
        matches!(self.whom, For::Stranger)
    }

    /// Whether the page follows live events and keeps the session alive.
    pub(crate) fn is_live(&self) -> bool {
        matches!(self.whom, For::Person(_))
    }

    /// The navigation.
    pub(crate) fn places(&self) -> impl Iterator<Item = &'static Place> {
        let all = self.is_operator();
        let runs = self.may(Action::ManageSchedule);
        PLACES.iter().filter(move |place| match place.path {
            PEOPLE => all,
            SCHEDULE => runs,
            _ => true,
        })
    }

    pub(crate) fn is_here(&self, place: &Place) -> bool {
        place.path == self.path
    }

    /// The person's name; empty on pages for anybody.
    pub(crate) fn name(&self) -> &str {
        match &self.whom {
            For::Person(principal) => &principal.name,
            For::Nobody | For::Stranger => "",
        }
    }

    /// The person's role in words.
    pub(crate) fn role(&self) -> String {
        match &self.whom {
            For::Person(principal) => principal.role.to_string(),
            For::Nobody | For::Stranger => String::new(),
        }
    }

    /// Whether the person works for the operator, and so sees several customers.
    pub(crate) fn is_operator(&self) -> bool {
        matches!(&self.whom, For::Person(p) if matches!(p.role, Role::OperatorAdmin | Role::Technician))
    }

    fn may(&self, action: Action) -> bool {
        matches!(&self.whom, For::Person(p) if p.require(action).is_ok())
    }

    pub(crate) fn may_open(&self) -> bool {
        self.may(Action::OpenCase)
    }

    pub(crate) fn may_ask(&self) -> bool {
        self.may(Action::AskSkill)
    }

    pub(crate) fn may_approve(&self) -> bool {
        self.may(Action::ApproveChange)
    }

    pub(crate) fn may_work(&self) -> bool {
        self.may(Action::WorkCase)
    }

    pub(crate) fn may_close(&self) -> bool {
        self.may(Action::CloseCase)
    }

    pub(crate) fn may_export(&self) -> bool {
        self.may(Action::ExportCase)
    }

    pub(crate) fn may_enrol(&self) -> bool {
        self.may(Action::MintEnrolment)
    }

    pub(crate) fn may_settle(&self) -> bool {
        self.may(Action::SettleInvoice)
    }

    pub(crate) fn may_retire(&self) -> bool {
        self.may(Action::RetireDevice)
    }

    pub(crate) fn may_manage_users(&self) -> bool {
        self.may(Action::ManageUsers)
    }

    pub(crate) fn may_add_customers(&self) -> bool {
        self.may(Action::ManageCustomers)
    }

    /// A time as this page says it.
    pub(crate) fn when(&self, at: &Timestamp) -> When {
        When::new(*at, self.now)
    }
}
