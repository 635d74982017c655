// SPDX-License-Identifier: Apache-2.0

/// Where a task works: the fetched file, a folder for what it makes, and the way to the store.
public struct Workspace: Sendable {
}
