package dev.vfio.migration.agent.machine;

/** Which end of a migration a session is. */
public enum Role {
  SOURCE,
  DESTINATION
}
