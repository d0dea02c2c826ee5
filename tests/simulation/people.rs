//! What people do: they write, and tell the program to stop, to begin anew, to start and to steer work.

use roundtable::phrases;
use roundtable::time::Clock as _;
use roundtable_contract::{
    AccountId, ChatId, ChatKind, Conversation, EventKey, Message, MessageId, MessageKind, Sender, UserId,
};

use super::platform::home_of;
use super::world::World;

/// Where people can be met.
pub fn places() -> Vec<Conversation> {
    let telegram = || AccountId::new("telegram", "main");
    let discord = || AccountId::new("discord", "main");
    vec![
        Conversation::chat(telegram(), "1"),
        Conversation::chat(telegram(), "2"),
        Conversation::chat(telegram(), "-5").with_thread("7"),
        Conversation::chat(telegram(), "-5").with_thread("8"),
        Conversation::chat(discord(), "3"),
        Conversation::chat(discord(), "-6"),
        Conversation::chat(discord(), "-7"),
    ]
}

/// What a message asks for.
#[derive(Clone)]
pub enum Meant {
    /// That an agent reads it.
    Word,
    /// Something of the program.
    Order {
        /// How its answers begin that promise that an agent reads the message.
        taken: Vec<String>,
    },
}

/// Somebody writes something.
pub fn write(world: &World, place: &Conversation) {
    let number = world.below(1_000_000_000);
    let label = *world.one_of(&["amber", "birch", "worker"]);
    let order = |text: String, taken: &[String]| (text, Meant::Order { taken: taken.to_vec() });
    let word = |text: String| (text, Meant::Word);
    let (text, meant) = match world.below(100) {
        0..62 => word(format!("hello {number}")),
        62..70 => word(format!("@{label} hello {number}")),
        70..78 => {
            order(format!("/spawn worker {label}: task {number}"), &[phrases::spawned(label, "worker")])
        }
        78..84 => order(
            format!("/steer {label} rather {number}"),
            &[phrases::steered(label), phrases::woken(label)],
        ),
        84..90 => order("/stop".to_owned(), &[]),
        90..93 => order(format!("/kill {label}"), &[]),
        93..96 => order("/new".to_owned(), &[]),
        96..98 => order("/new keep".to_owned(), &[]),
        _ => word(format!("hello {number} {}", "x".repeat(3000))),
    };
    let group = place.chat.as_str().starts_with('-');
    let user = if group { format!("{}", 1 + world.below(3)) } else { place.chat.to_string() };
    let message = Message {
        key: EventKey::new(format!("msg:{place}:{number}")),
        conversation: place.clone(),
        chat_kind: if group { ChatKind::Group } else { ChatKind::Direct },
        title: None,
        guild: None,
        parent: home_of(place.chat.as_str()).map(ChatId::new),
        kind: MessageKind::New,
        sender: Sender {
            id: UserId::new(user.as_str()),
            name: format!("Person {user}"),
            username: None,
            is_bot: false,
            roles: Vec::new(),
        },
        id: MessageId(0),
        text: text.clone(),
        spans: Vec::new(),
        mentions_us: true,
        forwarded: false,
        reply_to: None,
        attachments: Vec::new(),
        album: None,
        at: world.clock.now(),
    };
    let id = world.platform.hears(message, meant);
    world.count(|counts| counts.heard += 1);
    let shown: String = text.chars().take(40).collect();
    world.note(format_args!("{place} hears {id}: {shown}"));
}
