// SPDX-License-Identifier: Apache-2.0

/// Makes text from jobs harmless in a chat.
package enum AlertText {
    /// The most characters of a Slack-compatible message.
    package static let limit = 3000

    /// Escapes exactly `&`, `<` and `>`, as https://docs.slack.dev/messaging/formatting-message-text/
    /// says, so that `<!channel>` and spoofed links are inert.
    package static func escaped(_ text: String) -> String {
        var out = ""
        out.reserveCapacity(text.utf8.count)
        for scalar in text.unicodeScalars {
            switch scalar {
            case "&": out += "&amp;"
            case "<": out += "&lt;"
            case ">": out += "&gt;"
            default: out.unicodeScalars.append(scalar)
            }
        }
        return out
    }

    /// With a word joiner (U+2060) after each `@` and between `](`: Mattermost, Rocket.Chat and Discord
    /// know `@channel` and `[text](url)` in what Slack shows as it is. For text that is clean already.
    package static func inert(_ text: String) -> String {
        var out = ""
        out.reserveCapacity(text.utf8.count)
        var last: Unicode.Scalar?
        for scalar in text.unicodeScalars {
            if last == "@" || last == "]" && scalar == "(" { out.unicodeScalars.append("\u{2060}") }
            out.unicodeScalars.append(scalar)
            last = scalar
        }
        return out
    }

    /// Without control characters and without what turns the direction of text or hides in it; line
    /// ends stay where they are wanted, else they become spaces.
    package static func clean(_ text: String, keepsLines: Bool = false) -> String {
        var out = ""
        out.reserveCapacity(text.utf8.count)
        for scalar in text.unicodeScalars {
            if scalar == "\n" {
                out.unicodeScalars.append(keepsLines ? scalar : " ")
            } else if scalar == "\t" || scalar == "\r" {
                out += " "
            } else if !isHidden(scalar) {
                out.unicodeScalars.append(scalar)
            }
        }
        return out
    }

    /// At most so many characters, each as Unicode counts code points, with `…` where text was cut;
    /// never cuts within an escape.
    package static func cut(_ escaped: String, to limit: Int = limit) -> String {
        guard escaped.unicodeScalars.count > limit else { return escaped }
        var kept = Substring(escaped).unicodeScalars.prefix(limit - 1)
        if let mark = kept.suffix(5).lastIndex(of: "&"), !kept[mark...].contains(";") {
            kept = kept[..<mark]
        }
        return String(kept) + "…"
    }

    private static func isHidden(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0..<0x20, 0x7F...0x9F, 0xAD, 0x061C, 0x180E, 0x200B...0x200F, 0x2028...0x202E,
            0x2060...0x206F, 0xFEFF, 0xFFF9...0xFFFB, 0xE0000...0xE007F:
            true
        default: false
        }
    }
}
