-- Until when a platform wants nothing sent to a chat; an empty chat: to any of the account.
CREATE TABLE pauses (
    channel TEXT NOT NULL,
    account TEXT NOT NULL,
    chat TEXT NOT NULL,
    until INTEGER NOT NULL,
    PRIMARY KEY (channel, account, chat)
) STRICT;
