// SPDX-License-Identifier: Apache-2.0

/// The coders of this module read and write these types themselves, before these words are asked.
///
/// Why not for others: extensions and maps with any keys have no form that JSON, say, could take back.
private func elsewhere(_ type: String) -> String {
    "\(type) is coded by MessagePackEncoder and MessagePackDecoder only"
}

extension MessagePackValue: Codable {
    /// Throws, unless a decoder of this module is at work.
    public init(from decoder: any Decoder) throws {
        guard let step = decoder as? DecodingStep else {
            throw DecodingError.dataCorrupted(
                .init(codingPath: decoder.codingPath, debugDescription: elsewhere("\(Self.self)")))
        }
        self = try step.decode(Self.self)
    }

    /// Throws, unless an encoder of this module is at work.
    public func encode(to encoder: any Encoder) throws {
        guard let step = encoder as? EncodingStep else {
            throw EncodingError.invalidValue(
                self,
                .init(codingPath: encoder.codingPath, debugDescription: elsewhere("\(Self.self)")))
        }
        try step.encode(self)
    }
}

extension MessagePackTimestamp: Codable {
    /// Throws, unless a decoder of this module is at work.
    public init(from decoder: any Decoder) throws {
        guard let step = decoder as? DecodingStep else {
            throw DecodingError.dataCorrupted(
                .init(codingPath: decoder.codingPath, debugDescription: elsewhere("\(Self.self)")))
        }
        self = try step.timestamp()
    }

    /// Throws, unless an encoder of this module is at work.
    public func encode(to encoder: any Encoder) throws {
        guard let step = encoder as? EncodingStep else {
            throw EncodingError.invalidValue(
                self,
                .init(codingPath: encoder.codingPath, debugDescription: elsewhere("\(Self.self)")))
        }
        try step.encode(self)
    }
}

extension MessagePackExtension: Codable {
    /// Throws, unless a decoder of this module is at work.
    public init(from decoder: any Decoder) throws {
        guard let step = decoder as? DecodingStep else {
            throw DecodingError.dataCorrupted(
                .init(codingPath: decoder.codingPath, debugDescription: elsewhere("\(Self.self)")))
        }
        self = try step.extensionValue()
    }

    /// Throws, unless an encoder of this module is at work.
    public func encode(to encoder: any Encoder) throws {
        guard let step = encoder as? EncodingStep else {
            throw EncodingError.invalidValue(
                self,
                .init(codingPath: encoder.codingPath, debugDescription: elsewhere("\(Self.self)")))
        }
        try step.encode(self)
    }
}
