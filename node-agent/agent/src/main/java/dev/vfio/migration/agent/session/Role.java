package dev.vfio.migration.agent.session;

/** Which end of a migration a session is. */
public enum Role {
  SOURCE,
  DESTINATION
}
