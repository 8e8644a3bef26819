//! What a caller may see of the mesh: its own nodes and the operator's, with what they offer at which price.

use access::{Action, Principal};
use echo_core::{Currency, CustomerId, Page, PageRequest, Timestamp};
use mesh::NodeId;
use revenue::{Plan, SkuId};
use rust_decimal::Decimal;
use serde::Serialize;
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::{
    Desk, DeskError, MeshNode, MeshState, call::scope_of, customer::subscription, mesh_board::Newest,
};

/// What a gateway's manifest says that it can do.
const GATEWAY: &str = "gateway";

/// A part of the list of nodes.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MeshNodes {
    /// Whether this platform has a node in the mesh that runs. When not, nobody here knows who is reachable.
    pub on: bool,
    /// The platform's own node.
    pub me: Option<NodeId>,
    /// When this was so.
    pub at: Option<Timestamp>,
    /// The nodes, by their names as `did:key`.
    #[serde(flatten)]
    pub page: Page<MeshNodeView>,
}

/// A node with what its skills cost.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MeshNodeView {
    /// The node.
    #[serde(flatten)]
    pub node: MeshNode,
    /// What its skills cost its customer; for the operator's nodes, the one who asks.
    pub offers: Vec<MeshOffer>,
}

/// What one call of a skill costs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MeshOffer {
    /// The skill.
    pub skill: String,
    /// What is sold.
    pub sku: SkuId,
    /// One unit, in major units, exact; what the plan includes is not taken off.
    pub unit_price: Decimal,
    /// Of which currency.
    pub currency: Currency,
}

/// All that is known of the mesh's paths.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MeshDoctor {
    /// Whether the platform's node runs.
    pub on: bool,
    /// When this was so.
    pub at: Option<Timestamp>,
    /// The node's own words: see `docs/mesh.md`. While it does not run: nothing, or why it has `stopped` by itself.
    pub report: Value,
}

impl Desk {
    /// The nodes that the caller may see, by name: its own and the operator's.
    pub async fn mesh_nodes(
        &self,
        principal: &Principal,
        page: &PageRequest,
    ) -> Result<MeshNodes, DeskError> {
        principal.require(Action::ReadDevice)?;
        let Some(state) = self.mesh_board().newest() else {
            return Ok(MeshNodes {
                on: false,
                me: None,
                at: None,
                page: Page { items: Vec::new(), next: None },
            });
        };
        let after = cursor(page)?;
        let limit = page.limit() as usize;
        let from = state.nodes.partition_point(|node| after.is_some_and(|after| node.node <= after));
        let mut seen = state.nodes[from..].iter().filter(|node| may_see(principal, node));
        let found: Vec<&MeshNode> = seen.by_ref().take(limit).collect();
        let next = seen.next().and(found.last()).map(|last| last.node.to_string());
        let items = self.priced(principal, &found).await?;
        Ok(MeshNodes { on: true, me: Some(state.me), at: Some(state.at), page: Page { items, next } })
    }

    /// One node.
    pub async fn mesh_node(&self, principal: &Principal, node: &NodeId) -> Result<MeshNodeView, DeskError> {
        principal.require(Action::ReadDevice)?;
        let state = self.mesh_board().newest();
        let found = state.as_ref().and_then(|state| {
            let at = state.nodes.binary_search_by_key(node, |known| known.node).ok()?;
            Some(&state.nodes[at]).filter(|found| may_see(principal, found))
        });
        let found = found.ok_or_else(|| DeskError::not_found("mesh node", &node.to_string()))?;
        let views = self.priced(principal, &[found]).await?;
        views.into_iter().next().ok_or_else(|| DeskError::Internal("a node without a view".to_owned()))
    }

    /// The raw report on the mesh's paths. It shows every customer's nodes, so it is for the operator's people.
    pub fn mesh_doctor(&self, principal: &Principal) -> Result<MeshDoctor, DeskError> {
        principal.require(Action::ReadMetrics)?;
        if let Some(state) = self.mesh_board().newest() {
            return Ok(MeshDoctor { on: true, at: Some(state.at), report: state.doctor.clone() });
        }
        let stopped = self.mesh_trouble().borrow().clone();
        let report = stopped.map_or(Value::Null, |why| json!({ "stopped": why }));
        Ok(MeshDoctor { on: false, at: None, report })
    }

    /// Changes whenever a newer picture of the mesh hangs.
    pub fn mesh_changes(&self) -> watch::Receiver<Newest> {
        self.mesh_board().follow()
    }

    async fn priced(
        &self,
        principal: &Principal,
        nodes: &[&MeshNode],
    ) -> Result<Vec<MeshNodeView>, DeskError> {
        let mut tx = self.store().read().await?;
        let mut plans: std::collections::BTreeMap<CustomerId, Option<Plan>> =
            std::collections::BTreeMap::new();
        let mut views = Vec::with_capacity(nodes.len());
        for node in nodes {
            let payer = node.customer.as_ref().or(principal.customer.as_ref());
            if let Some(payer) = payer.filter(|payer| !plans.contains_key(*payer)) {
                // A customer that is gone, or a plan that is: then there is no price.
                let plan = match subscription(&mut tx, payer).await {
                    Ok(found) => self.content().catalogue.plan(&found.plan).cloned(),
                    Err(DeskError::NotFound { .. }) => None,
                    Err(error) => return Err(error),
                };
                plans.insert(payer.clone(), plan);
            }
            let plan = payer.and_then(|payer| plans.get(payer)).and_then(Option::as_ref);
            views.push(MeshNodeView { offers: self.offers(node, plan), node: (*node).clone() });
        }
        Ok(views)
    }

    fn offers(&self, node: &MeshNode, plan: Option<&Plan>) -> Vec<MeshOffer> {
        let offer = |skill: &String| {
            let sku = &self.content().catalogue.sku_for_skill(skill)?.id;
            let price = plan?.prices.get(sku)?;
            Some(MeshOffer {
                skill: skill.clone(),
                sku: sku.clone(),
                unit_price: price.unit_price,
                currency: plan?.currency,
            })
        };
        node.skills.iter().filter_map(offer).collect()
    }
}

/// Whether the caller may see a node: the operator's people see all; a customer its own, and the operator's gateways.
pub(crate) fn may_see(principal: &Principal, node: &MeshNode) -> bool {
    match (scope_of(principal), &node.customer) {
        (store::Scope::All, _) => true,
        (store::Scope::Customer(_), None) => node.capabilities.iter().any(|c| c == GATEWAY),
        (store::Scope::Customer(own), Some(customer)) => own == *customer,
        (store::Scope::Nothing, _) => false,
    }
}

fn cursor(page: &PageRequest) -> Result<Option<NodeId>, DeskError> {
    let read = |text: &String| {
        text.parse()
            .map_err(|_| DeskError::invalid("cursor", "write the `next` of the page before, as it was given"))
    };
    page.cursor.as_ref().map(read).transpose()
}

/// The nodes of a picture that the caller may see, for those who follow it.
pub fn visible<'a>(principal: &Principal, state: &'a MeshState) -> Vec<&'a MeshNode> {
    state.nodes.iter().filter(|node| may_see(principal, node)).collect()
}
