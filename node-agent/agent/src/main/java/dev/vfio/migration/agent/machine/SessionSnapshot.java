package dev.vfio.migration.agent.machine;

import dev.vfio.migration.vfio.device.DeviceState;

/**
 * A session as its watchers see it at one moment.
 *
 * @param key of the session
 * @param migrationName "namespace/name", for people
 * @param state where it stands
 * @param device as users name it
 * @param deviceState null where it is not known
 * @param progress how far it has come
 * @param failure null where nothing went wrong
 * @param recovered whether the agent went on with it from the journal
 * @param resetFailed whether the device was released without the reset that it needs
 */
public record SessionSnapshot(
    SessionKey key,
    String migrationName,
    SessionState state,
    String device,
    DeviceState deviceState,
    Progress progress,
    Failure failure,
    boolean recovered,
    boolean resetFailed) {

  /** The same, with a failure. */
  public SessionSnapshot failed(Failure why) {
    return new SessionSnapshot(
        key, migrationName, state, device, deviceState, progress, why, recovered, resetFailed);
  }
}
