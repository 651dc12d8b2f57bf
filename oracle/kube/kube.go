// Package kube stands in for a Kubernetes cluster around the controller of the horizontal pod autoscaler: an API server
// with one object, the scale of its deployment, the caches of the client, and the pipeline of metrics. What the
// controller asks are interfaces that are exported, so no request is made and an evaluation takes no time.
package kube

import (
	"context"
	"errors"
	"maps"
	"time"

	"github.com/go-logr/logr"
	autoscalingv1 "k8s.io/api/autoscaling/v1"
	autoscaling "k8s.io/api/autoscaling/v2"
	v1 "k8s.io/api/core/v1"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	"k8s.io/client-go/informers"
	hpainformers "k8s.io/client-go/informers/autoscaling/v2"
	coreinformers "k8s.io/client-go/informers/core/v1"
	"k8s.io/client-go/kubernetes/fake"
	autoscalingclient "k8s.io/client-go/kubernetes/typed/autoscaling/v2"
	coreclient "k8s.io/client-go/kubernetes/typed/core/v1"
	listers "k8s.io/client-go/listers/autoscaling/v2"
	corelisters "k8s.io/client-go/listers/core/v1"
	"k8s.io/client-go/scale"
	"k8s.io/client-go/tools/cache"
	"k8s.io/klog/v2"
	"k8s.io/kubernetes/pkg/controller/podautoscaler"
	"k8s.io/kubernetes/pkg/controller/podautoscaler/metrics"
)

// Namespace is where all of it is.
const Namespace = "default"

// Pods are a deployment's.
type Pods struct{ cache.Indexer }

// NewPods has none.
func NewPods() Pods {
	return Pods{cache.NewIndexer(cache.MetaNamespaceKeyFunc,
		cache.Indexers{cache.NamespaceIndex: cache.MetaNamespaceIndexFunc})}
}

// Lister is what the autoscaler sees of them.
func (p Pods) Lister() corelisters.PodLister { return corelisters.NewPodLister(p.Indexer) }

var labelled = labels.Set{"app": "x"}

// Selector selects them.
var Selector = labels.SelectorFromSet(labelled)

// Meta is what the pods, and all else, are called by.
func Meta(name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Name: name, Namespace: Namespace, Labels: labelled}
}

// Pipeline answers what the metrics pipeline would, in thousandths. It does not answer where it has nothing.
type Pipeline struct {
	Resource map[v1.ResourceName]metrics.PodMetricsInfo
	Custom   map[string]metrics.PodMetricsInfo
	Object   map[string]int64
	External map[string][]int64
	Asked    func(name string) ([]int64, error) // where it is not nil, in the place of External
}

// NewPipeline has nothing.
func NewPipeline() *Pipeline {
	return &Pipeline{Resource: map[v1.ResourceName]metrics.PodMetricsInfo{},
		Custom: map[string]metrics.PodMetricsInfo{}, Object: map[string]int64{},
		External: map[string][]int64{}}
}

var errPipeline = errors.New("the pipeline does not answer")

// ofPods gives a copy, since the calculator deletes from what it is given.
func ofPods(m metrics.PodMetricsInfo) (metrics.PodMetricsInfo, time.Time, error) {
	if m == nil {
		return nil, time.Time{}, errPipeline
	}
	return maps.Clone(m), time.Now(), nil
}

// GetResourceMetric implements metrics.MetricsClient.
func (p *Pipeline) GetResourceMetric(_ context.Context, name v1.ResourceName, _ string, _ labels.Selector, _ string) (
	metrics.PodMetricsInfo, time.Time, error) {
	return ofPods(p.Resource[name])
}

// GetRawMetric implements metrics.MetricsClient.
func (p *Pipeline) GetRawMetric(name, _ string, _, _ labels.Selector) (metrics.PodMetricsInfo, time.Time, error) {
	return ofPods(p.Custom[name])
}

// GetObjectMetric implements metrics.MetricsClient.
func (p *Pipeline) GetObjectMetric(name, _ string, _ *autoscaling.CrossVersionObjectReference, _ labels.Selector) (
	int64, time.Time, error) {
	x, there := p.Object[name]
	if !there {
		return 0, time.Time{}, errPipeline
	}
	return x, time.Now(), nil
}

// GetExternalMetric implements metrics.MetricsClient.
func (p *Pipeline) GetExternalMetric(name, _ string, _ labels.Selector) ([]int64, time.Time, error) {
	if p.Asked != nil {
		values, err := p.Asked(name)
		return values, time.Now(), err
	}
	if p.External[name] == nil {
		return nil, time.Time{}, errPipeline
	}
	return p.External[name], time.Now(), nil
}

// Cluster is what the controller reads and writes.
type Cluster struct {
	Pods
	*Pipeline
	Object   *autoscaling.HorizontalPodAutoscaler // with its status
	Replicas int                                  // that the deployment's spec asks for
	There    int                                  // that its status says there are
	Before   func() error                         // is called when an evaluation begins; an error ends it; it may sleep
	handler  cache.ResourceEventHandler
	objects  cache.Indexer // Object alone
}

// Flags are those of the controller manager.
type Flags struct {
	DownscaleStabilization, Initialization, Readiness time.Duration
	Tolerance                                         float64
}

// Sync is the time between two evaluations.
const Sync = 15 * time.Second

// Run runs the whole controller until the context ends. It must be in a bubble of package synctest.
func (c *Cluster) Run(ctx context.Context, f Flags) error {
	c.objects = cache.NewIndexer(cache.MetaNamespaceKeyFunc,
		cache.Indexers{cache.NamespaceIndex: cache.MetaNamespaceIndexFunc})
	if err := c.objects.Add(c.Object); err != nil {
		return err
	}
	h := c.controller(ctx, f, server{c}, hpas{c: c})
	c.handler.OnAdd(c.Object, true)
	h.Run(ctx, 1)
	return nil
}

// RunWithClient does the same with the client's own caches, on the API server that the client has for tests. It is
// slower.
func (c *Cluster) RunWithClient(ctx context.Context, f Flags) error {
	server := fake.NewClientset(c.Object)
	factory := informers.NewSharedInformerFactory(server, 0)
	h := c.controller(ctx, f, noted{server.AutoscalingV2(), c}, factory.Autoscaling().V2().HorizontalPodAutoscalers())
	factory.Start(ctx.Done())
	h.Run(ctx, 1)
	factory.Shutdown()
	return nil
}

func (c *Cluster) controller(ctx context.Context, f Flags, to autoscalingclient.HorizontalPodAutoscalersGetter,
	from hpainformers.HorizontalPodAutoscalerInformer) *podautoscaler.HorizontalController {
	utilruntime.ErrorHandlers = nil // a metric that is missing would be said, and slept over, each time
	klog.SetLogger(logr.Discard())
	mapper := apimeta.NewDefaultRESTMapper([]schema.GroupVersion{{Group: "apps", Version: "v1"}})
	mapper.Add(schema.GroupVersionKind{Group: "apps", Version: "v1", Kind: "Deployment"}, apimeta.RESTScopeNamespace)
	return podautoscaler.NewHorizontalController(ctx, server{c}, server{c}, to, mapper, c, from, podsOf{c: c}, Sync,
		f.DownscaleStabilization, f.Tolerance, f.Initialization, f.Readiness)
}

// noted keeps what is written to a server.
type noted struct {
	autoscalingclient.HorizontalPodAutoscalersGetter
	c *Cluster
}

func (n noted) HorizontalPodAutoscalers(space string) autoscalingclient.HorizontalPodAutoscalerInterface {
	return notedObjects{n.HorizontalPodAutoscalersGetter.HorizontalPodAutoscalers(space), n.c}
}

type notedObjects struct {
	autoscalingclient.HorizontalPodAutoscalerInterface
	c *Cluster
}

func (n notedObjects) UpdateStatus(ctx context.Context, to *autoscaling.HorizontalPodAutoscaler,
	o metav1.UpdateOptions) (*autoscaling.HorizontalPodAutoscaler, error) {
	stored, err := n.HorizontalPodAutoscalerInterface.UpdateStatus(ctx, to, o)
	n.c.Object = stored
	return stored, err
}

// server is the API server's part.
type server struct{ *Cluster }

func (s server) Scales(string) scale.ScaleInterface      { return scales{c: s.Cluster, begins: true} }
func (s server) Events(string) coreclient.EventInterface { return events{} }
func (s server) HorizontalPodAutoscalers(string) autoscalingclient.HorizontalPodAutoscalerInterface {
	return client{c: s.Cluster}
}

// Scaler is for others than the controller, which scale the deployment too.
func (c *Cluster) Scaler() scale.ScalesGetter { return another{c} }

type another struct{ *Cluster }

func (a another) Scales(string) scale.ScaleInterface { return scales{c: a.Cluster} }

type scales struct {
	scale.ScaleInterface
	c      *Cluster
	begins bool // an evaluation
}

func (s scales) Get(context.Context, schema.GroupResource, string, metav1.GetOptions) (*autoscalingv1.Scale, error) {
	if s.begins {
		if err := s.c.Before(); err != nil {
			return nil, err
		}
	}
	return &autoscalingv1.Scale{ObjectMeta: Meta("x"), Spec: autoscalingv1.ScaleSpec{Replicas: int32(s.c.Replicas)},
		Status: autoscalingv1.ScaleStatus{Replicas: int32(s.c.There), Selector: Selector.String()}}, nil
}

func (s scales) Update(_ context.Context, _ schema.GroupResource, to *autoscalingv1.Scale, _ metav1.UpdateOptions) (
	*autoscalingv1.Scale, error) {
	s.c.Replicas = int(to.Spec.Replicas)
	return to, nil
}

type client struct {
	autoscalingclient.HorizontalPodAutoscalerInterface
	c *Cluster
}

func (s client) UpdateStatus(_ context.Context, to *autoscaling.HorizontalPodAutoscaler, _ metav1.UpdateOptions) (
	*autoscaling.HorizontalPodAutoscaler, error) {
	old := s.c.Object
	s.c.Object = to.DeepCopy()
	s.c.Object.Spec = old.Spec // the controller completes its copy, and the server takes the status alone
	err := s.c.objects.Update(s.c.Object)
	s.c.handler.OnUpdate(old, s.c.Object)
	return s.c.Object, err
}

// events throws them away.
type events struct{ coreclient.EventInterface }

func (events) CreateWithEventNamespace(e *v1.Event) (*v1.Event, error)          { return e, nil }
func (events) PatchWithEventNamespace(e *v1.Event, _ []byte) (*v1.Event, error) { return e, nil }

// hpas and podsOf are the caches of the client. They are filled at once.
type hpas struct {
	hpainformers.HorizontalPodAutoscalerInformer
	cache.SharedIndexInformer
	c *Cluster
}

func (o hpas) Informer() cache.SharedIndexInformer { return o }
func (o hpas) HasSynced() bool                     { return true }

func (o hpas) Lister() listers.HorizontalPodAutoscalerLister {
	return listers.NewHorizontalPodAutoscalerLister(o.c.objects)
}

func (o hpas) AddEventHandlerWithResyncPeriod(h cache.ResourceEventHandler, _ time.Duration) (
	cache.ResourceEventHandlerRegistration, error) {
	o.c.handler = h
	return nil, nil
}

type podsOf struct {
	coreinformers.PodInformer
	cache.SharedIndexInformer
	c *Cluster
}

func (p podsOf) Informer() cache.SharedIndexInformer { return p }
func (p podsOf) HasSynced() bool                     { return true }
func (p podsOf) Lister() corelisters.PodLister       { return p.c.Pods.Lister() }
