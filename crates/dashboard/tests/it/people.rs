//! The people's page, and who may have it.

use access::Role;
use axum::http::StatusCode;
use desk::NewUser;

use crate::{device::House, visit::Browser};

#[tokio::test]
async fn an_admin_sees_customers_people_and_how_to_add_more() {
    let house = House::found().await;
    let customer = house.customer("Miller's bakery").await;
    let new = NewUser { name: "Bo <b>".to_owned(), role: Role::Customer, customer: Some(customer.clone()) };
    let bo = house.desk.add_user(&house.call(), new).await.unwrap();
    let page = Browser::operator(&house).await.page("/people").await;
    for words in [
        "Miller&#39;s bakery</th>",
        "data-post=\"/v1/customers\"",
        "data-post=\"/v1/users\"",
        "data-and-then=\"/v1/users/{id}/sign-in-links\"",
        "Bo &#60;b&#62;</th>",
        "<td data-label=\"Customer\">Miller&#39;s bakery</td>",
        "Zoë <span class=\"muted\">(you)</span>",
        "value=\"operator_admin\"",
        &format!("data-post=\"/v1/users/{}/sign-in-links\"", bo.id),
        &format!("<option value=\"{customer}\">"),
    ] {
        assert!(page.contains(words), "the page does not show {words}");
    }
    assert_eq!(page.matches("(you)").count(), 1);
    assert!(!page.contains("value=\"device\""), "a device is not a person");
}

#[tokio::test]
async fn a_technician_sees_the_customers_and_may_invite_nobody() {
    let house = House::found().await;
    house.customer("Miller's bakery").await;
    let page = Browser::technician(&house).await.page("/people").await;
    assert!(page.contains("Miller&#39;s bakery") && page.contains("href=\"/people\""));
    for words in ["new-customer", "invite", "Who can sign in", "sign-in-links"] {
        assert!(!page.contains(words), "the page shows {words}");
    }
}

#[tokio::test]
async fn for_a_customer_there_is_no_such_page() {
    let house = House::found().await;
    let customer = house.customer("Miller's bakery").await;
    let answer = Browser::customer(&house, &customer).await.get("/people").await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND);
    assert!(!answer.text.contains("bakery"));
}

#[tokio::test]
async fn long_lists_go_on_where_they_were_cut() {
    let house = House::found().await;
    for n in 0..52 {
        house.customer(&format!("Customer {n}.")).await;
    }
    let browser = Browser::operator(&house).await;
    let page = browser.page("/people").await;
    assert!(page.contains(">Customer 51.</th>") && !page.contains(">Customer 1.</th>"));
    let next = page.split("href=\"/people?customers=").nth(1).unwrap().split('#').next().unwrap();
    let page = browser.page(&format!("/people?customers={next}")).await;
    assert!(page.contains(">Customer 1.</th>") && page.contains(">Customer 0.</th>"));
    assert!(!page.contains(">Customer 2.</th>") && !page.contains("Older customers"));
}
