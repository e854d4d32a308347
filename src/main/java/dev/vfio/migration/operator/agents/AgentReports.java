package dev.vfio.migration.operator.agents;

import dev.vfio.migration.contract.v1.Session;
import jakarta.inject.Singleton;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;

/** Passes what agents report on to everybody who subscribed, in that order. Thread-safe. */
@Singleton
public final class AgentReports implements AgentListener {
  private final List<AgentListener> subscribers = new CopyOnWriteArrayList<>();

  /** From now on {@code subscriber} is called; once, however often it subscribes. */
  public void subscribe(AgentListener subscriber) {
    if (!subscribers.contains(subscriber)) {
      subscribers.add(subscriber);
    }
  }

  @Override
  public void sessionChanged(Session session) {
    subscribers.forEach(subscriber -> subscriber.sessionChanged(session));
  }

  @Override
  public void agentChanged(String node) {
    subscribers.forEach(subscriber -> subscriber.agentChanged(node));
  }

  @Override
  public void devicesChanged(String node) {
    subscribers.forEach(subscriber -> subscriber.devicesChanged(node));
  }
}
