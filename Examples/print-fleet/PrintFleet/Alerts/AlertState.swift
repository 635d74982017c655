// SPDX-License-Identifier: Apache-2.0

/// The alert of the cartridge that is in: raised once, whatever the forecast does afterwards.
struct AlertState: Hashable, Sendable {
    /// Number of the cartridge that was alerted; 0 = none.
    var cartridge: UInt32 = 0
    /// Readings in a row that met the rule.
    var streak: UInt8 = 0
}
