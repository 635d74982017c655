// SPDX-License-Identifier: Apache-2.0
public import Foundation
public import SigV4

/// Keys of an account, and until when they hold. Prints no secret.
public struct Credentials: Sendable, Hashable {
    public var keys: SigningKeys
    /// nil: they hold until somebody revokes them.
    public var expiration: Date?

    public init(
        accessKeyID: String, secretAccessKey: String, sessionToken: String? = nil,
        expiration: Date? = nil
    ) {
        keys = SigningKeys(
            accessKeyID: accessKeyID, secretAccessKey: secretAccessKey, sessionToken: sessionToken)
        self.expiration = expiration
    }
}

extension Credentials: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    public var description: String { keys.description }
    public var debugDescription: String { description }
    /// Hides the secrets from `dump`.
    public var customMirror: Mirror { Mirror(self, children: EmptyCollection<Mirror.Child>()) }
}

/// One place where credentials may be found.
public protocol CredentialSource: Sendable {
    /// For error messages: `the environment`.
    var name: String { get }

    /// Reads them; nil when this place has none and the next is to be asked. Throws when the place is
    /// set up and does not work: the next one might be another account's.
    func fetch() async throws(AWSError) -> Credentials?
}
