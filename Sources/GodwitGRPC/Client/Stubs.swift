// SPDX-License-Identifier: Apache-2.0
public import Godwit
// temporary
extension RemoteBroker {
    public var eventLog: any EventLog { fatalError() }
    public var board: any Board { fatalError() }
}
